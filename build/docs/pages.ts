/**
 * Which files are pages of the documentation, where they are written to, and where their links lead. A link that leads nowhere ends the
 * build.
 */
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, posix, relative } from 'node:path'

/** Files outside of `docs` that are pages too. */
const ROOT_PAGES = ['README.md', 'SECURITY.md', 'CHANGELOG.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md']
const OTHER_PAGES = [...ROOT_PAGES, 'bench/RESULTS.md']
const INDEX = 'docs/index.md'

/** A page as it stands in the checkout. */
export interface Source {
  /** Path in the checkout. */
  readonly path: string
  /** Path in the site, such as `profiles/jwt.html`. */
  readonly place: string
  readonly title: string
  /** Markdown without comments. */
  readonly text: string
}

/** A page in the navigation, or a section of one. */
interface Entry {
  readonly source: Source
  readonly label: string
  /** `#` and the name of a heading, or nothing. */
  readonly hash: string
}

/** A group of pages in the navigation. */
export interface Group {
  readonly title: string
  readonly entries: readonly Entry[]
}

/** Where a page of the checkout is in the site: `docs/tls.md` is `tls.html`, `README.md` is `readme.html`. */
function placeOf(path: string): string {
  const place = path.startsWith('docs/') ? path.slice('docs/'.length) : path.toLowerCase()
  return place.replace(/\.md$/, '.html')
}

/** Lines of comments outside of code say nothing to readers. */
function withoutComments(text: string): string {
  let isCode = false
  const kept = text.split('\n').filter((line) => {
    if (line.trimStart().startsWith('```')) isCode = !isCode
    return isCode || !/^<!--.*-->$/.test(line)
  })
  return kept.join('\n')
}

/** All pages of a checkout by path. */
export function sourcesOf(top: string): ReadonlyMap<string, Source> {
  const paths = [...globSync('docs/**/*.md', { cwd: top }).sort(), ...OTHER_PAGES]
  const sources = paths.map((path): Source => {
    const text = withoutComments(readFileSync(join(top, path), 'utf8'))
    const [, title] = /^# (.+)$/m.exec(text) ?? []
    if (title === undefined) throw new Error(`${path} has no heading.`)
    return { path, place: placeOf(path), title: title.replaceAll(/[`*]/g, ''), text }
  })
  return new Map(sources.map((source) => [source.path, source]))
}

/** The pages to which a section of the index leads, in order. A link that has its cell to itself is the label of its page. */
function entriesOf(section: string, sources: ReadonlyMap<string, Source>): Entry[] {
  const links = section.matchAll(/(^\| )?\[([^\]]+)\]\(([^)\s#]+\.md)(#[^)\s]*)?\)( \|)?/gm)
  return [...links].flatMap(([, start, label, target, hash = '', end]) => {
    const source = sources.get(posix.join(posix.dirname(INDEX), target!))
    if (source === undefined) return []
    return [{ source, hash, label: start !== undefined && end !== undefined ? label! : source.title }]
  })
}

/**
 * The navigation: a group for each section of `docs/index.md`, with the pages to which it leads. Pages that no section names, such as
 * those of `docs/internals`, are the last group; pages of problem codes are in none. A page is in the first group that names it.
 */
export function groupsOf(sources: ReadonlyMap<string, Source>): readonly Group[] {
  const places = new Set<string>()
  const pages = new Set([INDEX])
  const add = (entries: readonly Entry[]): Entry[] =>
    entries.filter(({ source: { path }, hash }) => {
      const isNew = !places.has(path + hash)
      places.add(path + hash)
      pages.add(path)
      return isNew
    })
  const sections = sources.get(INDEX)!.text.split(/^## /m).slice(1)
  const groups = sections.map((section) => ({
    title: section.slice(0, section.indexOf('\n')),
    entries: add(entriesOf(section, sources)),
  }))
  const rest = [...sources.values()].filter(
    ({ path }) => !pages.has(path) && !path.startsWith('docs/problems/'),
  )
  const last = {
    title: 'Developers',
    entries: add(rest.map((source) => ({ source, hash: '', label: source.title }))),
  }
  return [...groups, last].filter(({ entries }) => entries.length > 0)
}

/** Name of a heading in links, as GitHub makes it. @param heading its text */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-')
}

/** Where a link of a page leads, seen from that page in the site. */
export interface Resolved {
  readonly href: string
  /** A file of the checkout that goes along, as it is; null for a page, and for a URL. */
  readonly file: string | null
}

/**
 * Resolves a target as a page writes it. URLs stay as they are.
 * @throws for a target that is no page and no file, or leads out of the checkout
 */
export function resolveTarget(
  top: string,
  source: Source,
  target: string,
  sources: ReadonlyMap<string, Source>,
): Resolved {
  if (/^(?:https?:\/\/|mailto:)/.test(target)) return { href: target, file: null }
  const [path = '', anchor] = target.split('#')
  const hash = anchor === undefined ? '' : `#${anchor}`
  if (path === '') return { href: hash, file: null }
  const full = posix.join(posix.dirname(source.path), path)
  const page = sources.get(full)
  const place = page?.place ?? full.replace(/^docs\//, '')
  const isFile = existsSync(join(top, full)) && statSync(join(top, full)).isFile()
  if (page === undefined && (!isFile || full.startsWith('..')))
    throw new Error(`${source.path} links to ${target}, which is no page and no file.`)
  return { href: hrefFrom(source.place, place) + hash, file: page === undefined ? full : null }
}

/** A relative link from one file of the site to another. It works from a server and from a disk. */
export function hrefFrom(from: string, to: string): string {
  return relative(dirname(from), to).replaceAll('\\', '/')
}
