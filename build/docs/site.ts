/**
 * Makes the documentation as a static site: a file for each page, one style, one script, and the index of the search. The files work from
 * a disk and from any server, and load nothing from elsewhere.
 */
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { rolldown } from 'rolldown'
import type { IndexedSection } from '../../ui/docs/find.ts'
import { documentText } from './document.ts'
import { markupOf } from './markup.ts'
import { groupsOf, resolveTarget, sourcesOf } from './pages.ts'

export interface Site {
  readonly pages: number
  /** Sections that the search finds. */
  readonly sections: number
}

/**
 * Replaces a folder by the site.
 * @param top the checkout
 * @param place the folder
 * @throws if a page links to something that is not there
 */
export async function buildSite(top: string, place: string): Promise<Site> {
  const fresh = `${place}-${process.pid}`
  try {
    const site = await writeSite(top, fresh)
    rmSync(place, { recursive: true, force: true })
    renameSync(fresh, place)
    return site
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}

async function writeSite(top: string, fresh: string): Promise<Site> {
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(fresh, path)), { recursive: true })
    writeFileSync(join(fresh, path), text)
  }
  const { version } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')) as { version: string }
  const sources = sourcesOf(top)
  const groups = groupsOf(sources)
  const files = new Set<string>()
  const index: IndexedSection[] = []
  for (const source of sources.values()) {
    const { content, sections } = markupOf(source.text, (target) => {
      const { href, file } = resolveTarget(top, source, target, sources)
      if (file !== null) files.add(file)
      return href
    })
    write(source.place, documentText({ source, content, sections, groups, version }))
    for (const { heading, anchor, level, text } of sections)
      index.push([level === 1 ? source.place : `${source.place}#${anchor}`, source.title, heading, text])
  }
  for (const file of files) {
    const to = join(fresh, file.replace(/^docs\//, ''))
    mkdirSync(dirname(to), { recursive: true })
    copyFileSync(join(top, file), to)
  }
  write('icon.svg', readFileSync(join(top, 'ui/src/app/icon.svg'), 'utf8'))
  write('site.css', styleOf(top))
  write('search.js', `globalThis.POSTERN_SECTIONS=${JSON.stringify(index)}\n`)
  await bundleScript(top, join(fresh, 'site.js'))
  return { pages: sources.size, sections: index.length }
}

/** The style of the site in the colours of the console, which `ui/src/styles.css` alone has. */
function styleOf(top: string): string {
  const console = readFileSync(join(top, 'ui/src/styles.css'), 'utf8')
  const colours = [...console.matchAll(/--(color-[a-z-]+: light-dark\([^)]+\));/g)].map(
    ([, colour]) => `--${colour};`,
  )
  if (colours.length < 10) throw new Error('ui/src/styles.css has no colours.')
  return `:root{${colours.join('')}}\n${readFileSync(join(import.meta.dirname, 'site.css'), 'utf8')}`
}

/** A browser takes no module from a disk, so the script is none. */
async function bundleScript(top: string, file: string): Promise<void> {
  const bundle = await rolldown({ input: join(top, 'ui/docs/site.ts'), platform: 'browser' })
  await bundle.write({ file, format: 'iife', minify: true })
  await bundle.close()
}
