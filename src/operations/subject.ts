import type { Subject } from './define.ts'

/** What the audit calls a thing that is known by its id alone: the one of the answer, or else the one asked for. */
export function subjectById(type: string): (input: object, output: object | undefined) => Subject {
  return (input, output) => ({ type, id: idIn(output) ?? idIn(input), slug: null })
}

function idIn(from: object | undefined): string | null {
  return from !== undefined && 'id' in from && typeof from.id === 'string' ? from.id : null
}
