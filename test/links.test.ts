import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, resolve } from 'node:path'
import { test } from 'node:test'
import { anchorOf } from '../build/docs/pages.ts'

const ROOT = resolve(import.meta.dirname, '..')
const PAGES = ['*.md', 'docs/**/*.md'].flatMap((glob) => globSync(glob, { cwd: ROOT }))
const read = (page: string): string => readFileSync(join(ROOT, page), 'utf8')

interface Link {
  /** Path in the repository. */
  readonly page: string
  readonly anchor: string
}

/** What a page links to in the repository. */
function linksOf(page: string): Link[] {
  const targets = [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!)
  return targets
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [path = '', anchor = ''] = target.split('#')
      return { page: path === '' ? page : normalize(join(dirname(page), path)), anchor }
    })
}

/** Names of the headings, as they are written in links. */
function anchorsOf(page: string): string[] {
  return [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading!))
}

test('every link of the pages leads to a file, and to a heading in it', () => {
  assert.ok(PAGES.length > 50, `${PAGES.length} pages`)
  for (const page of PAGES)
    for (const link of linksOf(page)) {
      assert.ok(existsSync(join(ROOT, link.page)), `${page}: ${link.page}`)
      if (link.anchor !== '')
        assert.ok(anchorsOf(link.page).includes(link.anchor), `${page}: ${link.page}#${link.anchor}`)
    }
})

/** Pages for those who work on the program. */
const INTERNALS = PAGES.filter((page) => dirname(page) === 'docs/internals')

/** Paths that a page quotes in code spans: those with a slash, and file names. Placeholders such as `<name>` match anything. */
function quotedPaths(page: string): string[] {
  const text = read(page).replace(/^```[\s\S]*?^```/gm, '')
  const quoted = [...text.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!.replace(/<\w+>/g, '*'))
  return quoted.filter((code) => /^[\w.*-]+(\/[\w.*-]+)*\/?$/.test(code) && /\/|\.(ts|md)$/.test(code))
}

/** Paths that lead to no file or folder, neither from the root nor below `src`. */
function missingPaths(paths: readonly string[]): string[] {
  return paths.filter((path) => globSync([path, `src/${path}`], { cwd: ROOT }).length === 0)
}

for (const page of ['ARCHITECTURE.md', 'CONTRIBUTING.md', 'docs/threat-model.md', ...INTERNALS])
  test(`every path that ${page} quotes exists`, () => {
    const paths = quotedPaths(page)
    assert.ok(paths.length > (page.startsWith('docs') ? 2 : 20), `${paths.length} paths`)
    assert.deepEqual(missingPaths(paths), [])
  })

test('ARCHITECTURE.md leads to every page of docs/internals', () => {
  const linked = new Set(linksOf('ARCHITECTURE.md').map(({ page }) => page))
  assert.deepEqual(
    INTERNALS.filter((page) => !linked.has(page)),
    [],
  )
})

test('a path that is quoted and does not exist is found', () => {
  assert.deepEqual(
    missingPaths(['gateway/run.ts', 'src/nodes/*/run.ts', 'docs', 'gateway/walk.ts', 'src/base/*/run.ts']),
    ['gateway/walk.ts', 'src/base/*/run.ts'],
  )
})

test('docs/index.md leads to every page but those that other indexes lead to, and the README leads to it', () => {
  const linked = new Set(linksOf('docs/index.md').map(({ page }) => page))
  assert.deepEqual(
    PAGES.filter(
      (page) =>
        page !== 'docs/index.md' &&
        !linked.has(page) &&
        !/^docs\/problems\//.test(page) &&
        !INTERNALS.includes(page),
    ),
    [],
  )
  assert.ok(linksOf('README.md').some(({ page }) => page === 'docs/index.md'))
})

test('the README fits on a few screens', () => {
  assert.ok(read('README.md').split('\n').length <= 110)
})
