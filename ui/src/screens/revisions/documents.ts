/** A set of documents that a person gives, and the plan that the server makes of it. */
import type { Output } from '../../api/client.ts'

export type Plan = Output<'config.plan'>

export interface DocumentFile {
  readonly name: string
  readonly text: string
}

/** What a plan would do, in numbers. */
export function planSentence({ create, update, adopt, remove, unchanged }: Plan): string {
  const parts = [
    create > 0 && `add ${create}`,
    update > 0 && `change ${update}`,
    adopt > 0 && `adopt ${adopt}`,
    remove > 0 && `remove ${remove}`,
  ].filter((part) => part !== false)
  if (parts.length === 0)
    return `Nothing changes: ${unchanged} ${unchanged === 1 ? 'resource matches' : 'resources match'} the documents.`
  return `This would ${parts.join(', ')}, and leave ${unchanged} unchanged.`
}

/** `NAME=value`, one per line, as variables. A line without a name is at fault. */
export function variablesOf(text: string): { variables: Record<string, string>; fault: string | null } {
  const variables: Record<string, string> = {}
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue
    const [, name, value = ''] = /^\s*([A-Za-z0-9_-]+)=(.*)$/.exec(line) ?? []
    if (name === undefined)
      return { variables: {}, fault: `"${line.trim()}" does not have the form NAME=value.` }
    variables[name] = value
  }
  return { variables, fault: null }
}

/** The name of the set that a file suggests: its name without folder and ending. */
export function setNameOf(file: string): string {
  const name = file.replace(/^.*[\\/]/, '').replace(/\.(?:ya?ml|json)$/i, '')
  return name
    .replaceAll(/[^A-Za-z0-9._/-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 120)
}
