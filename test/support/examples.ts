import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

/** A call that a docs page shows: a block marked `http`, and below it another one with the answer. */
export interface Example {
  readonly method: string
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: string | undefined
  readonly status: number
}

/** The calls of a page below docs/, in order; `replace` maps what an example cannot know to what is there. */
export function examplesOf(page: string, replace: Readonly<Record<string, string>>): Example[] {
  let text = readFileSync(resolve(import.meta.dirname, '../../docs', page), 'utf8')
  for (const [from, to] of Object.entries(replace)) text = text.replaceAll(from, to)
  return [...text.matchAll(/```http\n([^`]*?)\n```\n\n```http\nHTTP\/1\.1 (\d+)/g)].map(
    ([, block, status]) => {
      const [head, body] = block!.split(/\n\n([\s\S]*)/) as [string, string | undefined]
      const [start, ...lines] = head.split('\n') as [string, ...string[]]
      const [method, path] = start.split(' ') as [string, string]
      const headers = Object.fromEntries(lines.map((line) => line.split(/: (.*)/).slice(0, 2)))
      return { method, path, headers, body, status: Number(status) }
    },
  )
}
