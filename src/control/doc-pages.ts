/** The pages of `docs/` that came with the program. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROGRAM } from '../base/program.ts'
import type { DocPages } from '../surfaces/mcp/resources.ts'

const DOCS = join(PROGRAM, 'docs')

/** The pages of `docs/` that came with the program; read when they are first asked for. None where they were left out. */
export function createDocPages(directory: string = DOCS): DocPages {
  let pages: ReadonlyMap<string, string> | undefined
  const all = (): ReadonlyMap<string, string> => {
    pages ??= read(directory)
    return pages
  }
  return {
    topics: () => [...all()].map(([topic, text]) => ({ topic, title: /^# (.+)$/m.exec(text)?.[1] ?? topic })),
    read: (topic) => all().get(topic) ?? null,
  }
}

function read(directory: string): ReadonlyMap<string, string> {
  if (!existsSync(directory)) return new Map()
  const names = readdirSync(directory).filter((name) => name.endsWith('.md'))
  return new Map(names.sort().map((name) => [name.slice(0, -3), readFileSync(join(directory, name), 'utf8')]))
}
