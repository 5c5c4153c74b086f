/** Columns of lists that are made by hand. All others derive from the OpenAPI document. */
import type { ReactNode } from 'react'
import type { JsonObject } from '../../../build/document.ts'
import type { Column } from '../../schema/columns.ts'
import { scopeWords } from '../guardrails/scope-words.ts'
import { grantSentence } from '../people/grant-sentence.ts'
import { amountsOf } from '../policies/sentence.ts'

export interface OwnColumn extends Column {
  readonly render?: (item: JsonObject) => ReactNode
}

interface OwnColumns {
  /** Derived columns that are left out. */
  readonly without: readonly string[]
  /** Pixels of columns whose texts are short. */
  readonly widths?: Readonly<Record<string, number>>
  readonly add?: {
    /** A member of the item: the column is left out where no row has it. */
    readonly name: string
    readonly label: string
    /** Further members that the text is made of. */
    readonly asks: readonly string[]
    /** Place among the columns. */
    readonly at: number
    readonly words: (item: JsonObject) => string
  }
}

const OWN: Readonly<Record<string, OwnColumns>> = {
  grants: {
    without: [
      ...['service_identity', 'user', 'team', 'group', 'role', 'scope', 'scope.collections'],
      ...['scope.virtual_mcps', 'scope.resource_types'],
    ],
    widths: { slug: 200 },
    add: {
      name: 'scope',
      label: 'What it allows',
      asks: ['service_identity', 'user', 'team', 'group', 'role', 'expires_at'],
      at: 1,
      words: grantSentence,
    },
  },
  guardrails: {
    without: ['order'],
    widths: { slug: 150 },
    add: { name: 'scope', label: 'Scope', asks: [], at: 2, words: scopeWords },
  },
  policies: {
    without: [],
    widths: { name: 180, slug: 140 },
    add: { name: 'limits', label: 'Limits', asks: ['rate', 'quota'], at: 2, words: amountsOf },
  },
  // Its name and its path say the same
  proxies: { without: ['slug'] },
}

/** The columns of a resource, with those that are made by hand in their places. */
export function withOwn(resource: string, columns: readonly Column[]): readonly OwnColumn[] {
  const own = OWN[resource]
  if (own === undefined) return columns
  const kept: OwnColumn[] = columns
    .filter(({ name }) => !own.without.includes(name))
    .map((column) => ({ ...column, width: own.widths?.[column.name] ?? column.width }))
  if (own.add === undefined) return kept
  const { name, label, at, words } = own.add
  const render = (item: JsonObject): ReactNode => {
    const text = words(item)
    return text === '' ? <span className="text-muted">–</span> : <span title={text}>{text}</span>
  }
  return kept.toSpliced(at, 0, { name, label, width: null, isNumber: false, render })
}

/** Members that columns made by hand need besides their own. */
export function alsoAsked(resource: string): readonly string[] {
  return OWN[resource]?.add?.asks ?? []
}
