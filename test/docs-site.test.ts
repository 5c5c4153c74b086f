/** The documentation as a static site (`npm run docs`): what is built, where its links lead, and what its search finds. */
import assert from 'node:assert/strict'
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, normalize, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { runInNewContext } from 'node:vm'
import { resolveTarget, sourcesOf } from '../build/docs/pages.ts'
import { buildSite } from '../build/docs/site.ts'
import { find, type IndexedSection } from '../ui/docs/find.ts'

const ROOT = resolve(import.meta.dirname, '..')
const directory = mkdtempSync(join(tmpdir(), 'postern-docs-'))
const site = join(directory, 'site')
let pages: readonly string[]
const read = (path: string): string => readFileSync(join(site, path), 'utf8')

before(async () => {
  mkdirSync(site)
  writeFileSync(join(site, 'left-over.html'), '')
  await buildSite(ROOT, site)
  pages = globSync('**/*.html', { cwd: site })
})
after(() => rmSync(directory, { recursive: true }))

test('each page of the docs is a page of the site, and what was there before is gone', () => {
  assert.ok(pages.length > 150, `${pages.length} pages`)
  for (const page of globSync('docs/**/*.md', { cwd: ROOT }))
    assert.ok(pages.includes(page.replace(/^docs\//, '').replace(/\.md$/, '.html')), page)
  assert.ok(!existsSync(join(site, 'left-over.html')))
})

test('every link within the site is relative and leads to a file of it, and to a name on its page', () => {
  const names = new Map(
    pages.map((page) => [page, new Set([...read(page).matchAll(/ id="([^"]+)"/g)].map(([, id]) => id!))]),
  )
  let links = 0
  for (const page of pages)
    for (const [, target] of read(page).matchAll(/ (?:href|src)="([^"]*)"/g)) {
      if (/^(?:https?:\/\/|mailto:)/.test(target!)) continue
      const [path = '', name] = target!.split('#')
      assert.doesNotMatch(path, /^\/|:/, `${page}: ${target}`)
      const file = path === '' ? page : normalize(join(dirname(page), path))
      assert.ok(existsSync(join(site, file)), `${page}: ${target}`)
      if (name !== undefined) assert.ok(names.get(file)?.has(name), `${page}: ${target}`)
      links++
    }
  assert.ok(links > 10_000, `${links} links`)
})

test('nothing is loaded from elsewhere, and no page has a script or a style of its own', () => {
  for (const page of pages) {
    const text = read(page)
    assert.doesNotMatch(text, /(?:src|<link[^>]* href)="(?:[a-z]+:|\/\/)/, page)
    assert.doesNotMatch(text, /<style|<script>|<script [^>]*>[^<]|<iframe| style="| on[a-z]+="/, page)
  }
  assert.doesNotMatch(read('site.css'), /url\(|@import/)
  assert.doesNotMatch(read('site.js'), /https?:|fetch|XMLHttpRequest|sendBeacon|localStorage|cookie/)
})

test('each page has one main heading, a title, and the navigation with itself marked at most once', () => {
  for (const page of pages) {
    const text = read(page)
    assert.equal([...text.matchAll(/<h1 /g)].length, 1, page)
    assert.match(text, /<title>(?:[^<]+ · )?Postern documentation<\/title>/, page)
    assert.ok([...text.matchAll(/aria-current="page"/g)].length <= 1, page)
  }
  assert.match(read('tls.html'), /<details open><summary>Operate<\/summary>/)
  for (const [place, label] of [
    ['readme.html#use-it', 'First steps'],
    ['cli.html', 'The command line'],
    ['cli.html#backup-and-restore', 'Backup and restore'],
    ['profiles/jwt.html', 'Profile type jwt'],
    ['internals/record.html', 'A record'],
  ])
    assert.ok(read('index.html').includes(`<li><a href="${place}">${label}</a></li>`), place)
})

test('no Markdown is left in the text of a page', () => {
  for (const page of pages) {
    const text = read(page).replaceAll(/<pre>[\s\S]*?<\/pre>|<code>[\s\S]*?<\/code>/g, '')
    assert.doesNotMatch(text, /\]\([^)]*\.md|<p>\||<p>#|```|&#60;!--/, page)
  }
})

test('the search finds the section that explains a term first', () => {
  const scope: { POSTERN_SECTIONS?: readonly IndexedSection[] } = {}
  runInNewContext(read('search.js'), { globalThis: scope })
  const sections = scope.POSTERN_SECTIONS!
  for (const [query, href] of [
    ['client authentication', 'identity.html#client-authentication'],
    ['private_key_jwt', 'credentials.html#oauth2_client_credentials'],
    ['upgrade', 'upgrade.html'],
    ['virtual mcp', 'virtual-mcps.html'],
    ['guardrails', 'guardrails.html'],
    ['concurrency_exceeded', 'problems/concurrency_exceeded.html'],
  ] as const) {
    const [first] = find(sections, query, 5)
    assert.equal(first?.href, href, query)
  }
  for (const [href] of sections) assert.ok(existsSync(join(site, href.split('#')[0]!)), href)
})

test('a link that leads nowhere, or out of the checkout, ends the build and names the page', () => {
  const sources = sourcesOf(ROOT)
  const source = sources.get('docs/tls.md')!
  for (const target of ['nowhere.md', '../../../etc/passwd', '../src', 'javascript:alert(1)', '/etc/passwd'])
    assert.throws(
      () => resolveTarget(ROOT, source, target, sources),
      (error: Error) => error.message === `docs/tls.md links to ${target}, which is no page and no file.`,
      target,
    )
  assert.deepEqual(resolveTarget(ROOT, source, '../README.md#use-it', sources), {
    href: 'readme.html#use-it',
    file: null,
  })
  assert.deepEqual(resolveTarget(ROOT, source, 'console/home.png', sources), {
    href: 'console/home.png',
    file: 'docs/console/home.png',
  })
})
