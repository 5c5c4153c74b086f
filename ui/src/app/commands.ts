/** What the palette offers to do, in the words of the buttons that do it. */
import { wordOf } from '../forms/actions.ts'
import { singularOf } from './navigation.ts'

interface Row {
  readonly resource: string
  readonly action: string
  readonly effect: string
  readonly summary: string
  readonly byId: boolean
}

export interface Command {
  readonly to: string
  readonly label: string
  /** Name of the operation. */
  readonly hint: string
}

/** A page with a way of its own to do what an operation does, such as "Add a server". */
export interface Way {
  readonly label: string
  readonly to: string
  /** The operation that the way ends in. */
  readonly does: string
}

/**
 * The command of an operation. Creations have the words of the button above their list, actions those of the button on the page of
 * a resource; an operation without a button has its summary.
 */
export function commandOf(row: Row, ways: readonly Way[]): Command {
  const name = `${row.resource}.${row.action}`
  const own = ways.find(({ does }) => does === name)
  if (own !== undefined) return { to: own.to, label: own.label, hint: name }
  if (row.action === 'create')
    return { to: `/${row.resource}/new`, label: `New ${singularOf(row.resource)}`, hint: name }
  const isButton = row.byId && row.effect !== 'read'
  return { to: `/run/${name}`, label: isButton ? wordsOf(row) : row.summary, hint: name }
}

/** `Publish: collection`, `Edit: client`. */
function wordsOf({ resource, action }: Row): string {
  const noun = singularOf(resource)
  if (action === 'update') return `Edit: ${noun}`
  if (action === 'toggle') return `Activate or deactivate: ${noun}`
  return `${wordOf({ action }, {})}: ${noun}`
}
