/** Names what was most likely meant where a slug leads to nothing: from the slugs that the caller may list. */
import { nearestName } from '../../base/text/distance.ts'
import { inWords, NOUNS, PARENTS, type ResourceType } from '../../model/resource-types.ts'
import type { Operation } from '../../operations/engine/define.ts'
import type { Client } from '../client/client.ts'
import { type ProblemBody, ProblemError } from '../client/send.ts'

/** A refusal is printed without a suggestion that takes longer. */
const LIST_MS_MAX = 2000
/** The most that one page of a list has. */
const LISTED_MAX = 200

const MISSING = /\b(there) is no ([a-z ]{1,40}) "([^"]{1,120})"(\.?)/gi

/** A client whose refusals of an unknown slug name the near one. */
export function suggesting(client: Client, operations: readonly Operation[]): Client {
  const call: Client['call'] = async (operation, input, options) => {
    try {
      return await client.call(operation, input, options)
    } catch (error) {
      throw error instanceof ProblemError ? await withNearest(client, operations, error) : error
    }
  }
  return { ...client, call }
}

async function withNearest(
  client: Client,
  operations: readonly Operation[],
  error: ProblemError,
): Promise<ProblemError> {
  const { problem } = error
  const texts = [problem.detail, ...problem.errors.map(({ reason }) => reason)]
  // The first one: each costs a call
  const [missing] = texts.flatMap((text) => [...text.matchAll(MISSING)])
  if (missing === undefined) return error
  const nearest = await nearestOf(client, operations, missing[2]!.toLowerCase(), missing[3]!)
  return nearest === null ? error : new ProblemError(named(problem, missing[3]!, nearest))
}

async function nearestOf(
  client: Client,
  operations: readonly Operation[],
  noun: string,
  ref: string,
): Promise<string | null> {
  const types = Object.keys(NOUNS) as ResourceType[]
  const type = types.find((one) => inWords(NOUNS[one]).toLowerCase() === noun)
  const find = (of: string, action: string): Operation | undefined =>
    operations.find((one) => one.resource === of && one.action === action)
  const whoami = find('whoami', 'show')
  if (type === undefined || whoami === undefined) return null
  const list = find(type, 'list')
  if (list === undefined) return null
  const signal = AbortSignal.timeout(LIST_MS_MAX)
  // A list that is refused would be an entry in the audit trail, for what nobody asked for
  const known = await client.call(whoami, { operations: true }, { signal }).catch(() => null)
  const callable = known?.body['operations']
  if (!Array.isArray(callable) || !callable.includes(`${type}.list`)) return null
  const answer = await client.call(list, { limit: LISTED_MAX }, { signal }).catch(() => null)
  const items = answer?.body['items']
  if (!Array.isArray(items)) return null
  const above = PARENTS[type].map((parent) => NOUNS[parent])
  const slugs = (items as readonly Readonly<Record<string, unknown>>[]).flatMap((item) => {
    const { slug } = item
    if (typeof slug !== 'string') return []
    const parent = above.map((name) => item[name]).find((one) => typeof one === 'string')
    return [ref.includes(':') && parent !== undefined ? `${String(parent)}:${slug}` : slug]
  })
  return nearestName(ref, slugs)
}

function named(problem: ProblemBody, ref: string, nearest: string): ProblemBody {
  const mend = (text: string): string =>
    text.replaceAll(MISSING, (all: string, there: string, _noun, found: string, stop: string) => {
      if (found !== ref) return all
      if (there === 'There') return `${all}${stop === '' ? ';' : ''} Did you mean "${nearest}"?`
      return `${stop === '' ? all : all.slice(0, -1)}; did you mean "${nearest}"?`
    })
  return {
    ...problem,
    detail: mend(problem.detail),
    errors: problem.errors.map(({ pointer, reason }) => ({ pointer, reason: mend(reason) })),
  }
}
