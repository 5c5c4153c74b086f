import type { Json } from '../../../build/document.ts'
import { isObject } from '../../schema/value.ts'
import type { Steps } from './expression.ts'

const ROWS_MAX = 80
const DEPTH_MAX = 5
const ITEMS_MAX = 3

export interface Leaf {
  readonly steps: Steps
  readonly label: string
  readonly hint: string
}

/** The members of a value that a path can name, with what they hold. Long values are cut. */
export function leavesOf(value: Json | undefined, types: Readonly<Record<string, string>>): readonly Leaf[] {
  const found: Leaf[] = []
  const walk = (one: Json, steps: Steps): void => {
    if (found.length >= ROWS_MAX) return
    if (steps.length > 0) {
      const hint = isObject(one)
        ? 'object'
        : Array.isArray(one)
          ? `list of ${one.length}`
          : shortText(JSON.stringify(one))
      found.push({ steps, label: String(steps.at(-1)), hint })
    }
    if (steps.length >= DEPTH_MAX) return
    if (Array.isArray(one))
      for (const [index, item] of one.slice(0, ITEMS_MAX).entries()) walk(item, [...steps, index])
    else if (isObject(one)) for (const [name, member] of Object.entries(one)) walk(member, [...steps, name])
  }
  if (value !== undefined) walk(value, [])
  if (found.length > 0) return found
  return Object.entries(types)
    .filter(([name]) => name !== '*')
    .flatMap(([name, type]) => [
      { steps: [name], label: name, hint: type },
      ...(/^object: ([\w, ]+)$/.exec(type)?.[1]?.split(', ') ?? []).map((member) => ({
        steps: [name, member],
        label: member,
        hint: '',
      })),
    ])
}

function shortText(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

interface ValueTreeProps {
  readonly node: string
  readonly leaves: readonly Leaf[]
  /** Null: the values cannot be inserted. */
  readonly onPick: ((steps: Steps) => void) | null
}

/** Values of a node, each a button that inserts its path. */
export function ValueTree({ node, leaves, onPick }: ValueTreeProps) {
  if (leaves.length === 0) return <p className="text-sm text-muted">No outputs.</p>
  return (
    <ul className="flex flex-col">
      {leaves.map(({ steps, label, hint }) => (
        <li key={steps.join('/')} style={{ paddingLeft: `${(steps.length - 1) * 12}px` }}>
          <button
            type="button"
            disabled={onPick === null}
            title={onPick === null ? undefined : `Insert the path of ${label} of ${node}`}
            className="flex min-h-6 w-full min-w-0 items-baseline gap-2 rounded-md px-1 text-left hover:bg-sunken disabled:hover:bg-transparent"
            // The field keeps the focus, and with it the place where the path goes
            onPointerDown={(event) => event.preventDefault()}
            onClick={() => onPick?.(steps)}
          >
            <code className="shrink-0">{label}</code>
            <span className="min-w-0 truncate text-sm text-muted">{hint}</span>
          </button>
        </li>
      ))}
    </ul>
  )
}
