/**
 * A call of a tool of an origin by a node of a workflow, over the path of calls through virtual MCPs: the same sessions, servers,
 * accounts and checks of the origin. It takes the limits of the origin and has no record: the limits of the caller and the record are
 * those of the request that the workflow answers.
 */
import { mayFit } from '../../base/json/canonical.ts'
import { isPlain, type Plain } from '../../base/json/storable.ts'
import { PROBLEMS } from '../../base/refusal.ts'
import type { JsonSchema } from '../../model/api/proxy.ts'
import {
  type Approved,
  type Catalogue,
  hashIn,
  isAsApproved,
  itemsByKey,
} from '../../model/mcp/capability-drift.ts'
import { NodeFailure, type NodeTool } from '../../nodes/run.ts'
import { namesIn } from '../../snapshot/find/declared-names.ts'
import type { CatalogueFragment } from '../../snapshot/fragments.ts'
import { createSchemaJudges, type Judge } from '../../snapshot/schema/judge.ts'
import { keptIn } from '../contract/parsed-contracts.ts'
import type { Routed } from '../exchange.ts'
import type { CalledTool, ToolAnswer } from './tool-port.ts'

type Done = (outputs: Plain | NodeFailure) => void

/** Characters of JSON, as bodies that a run makes have them at most. */
const ARGUMENTS_CHARS_MAX = 32 * 1024 * 1024
/** Faults of arguments that a failure names. */
const FAULTS_MAX = 3

/**
 * Makes the call. `done` is told later, never at once.
 * @param given the arguments
 * @returns what gives the call up
 * @throws NodeFailure for what cannot be called
 */
export function callTool(outer: Routed, tool: NodeTool, given: unknown, done: Done): () => void {
  const called = locate(outer, tool, given)
  const { callTool: call } = outer.lane
  if (call === null) throw new NodeFailure('lost', 'tools cannot be called here')
  const handle = call(outer, called, (answer) => done(outputsOf(answer)))
  return () => handle.abort()
}

function locate(
  { snapshot }: Routed,
  { origin: id, name, account, pin }: NodeTool,
  given: unknown,
): CalledTool {
  const origin = snapshot.origins.get(id)
  if (origin === undefined) throw new NodeFailure('origin', 'the origin was deleted')
  const { slug, active, connection, verdict } = origin.fragment
  if (!active) throw new NodeFailure('origin', `the origin "${slug}" is inactive`)
  if ((connection === 'user') !== (account === 'user')) {
    const has = connection === 'user' ? 'an account for each person' : 'one account for all callers'
    throw new NodeFailure(
      'account',
      `the origin "${slug}" has ${has}, but the node has the setting as: ${account}`,
    )
  }
  if (verdict === null)
    throw new NodeFailure('origin', `the origin "${slug}" has not listed its tools yet; see origins test`)
  const catalogue = snapshot.catalogues.get(id)
  const tool = catalogue && knownTools(catalogue).get(name)
  if (tool === undefined) throw new NodeFailure('tool', `the origin "${slug}" has no tool "${name}"`)
  if (pin !== null && !isAsApproved(pin, tool.hash))
    throw new NodeFailure('tool', `the origin "${slug}" has changed the tool "${name}" since it was pinned`)
  // Rules for all places look at the request that the workflow answers
  const guardrails = snapshot.guards?.ofMcp('', id, true) ?? null
  if (guardrails !== null && guardrails.fault !== null)
    throw new NodeFailure('guardrail', guardrails.fault, 'route_unavailable')
  return { origin, name, schema: tool.schema, arguments: argumentsFrom(given, tool), guardrails }
}

function argumentsFrom(given: unknown, { judge, schema }: KnownTool): Plain {
  if (!isPlain(given)) throw new NodeFailure('arguments', 'arguments are no object')
  // One list may stand at many places of them
  if (!mayFit(given, ARGUMENTS_CHARS_MAX))
    throw new NodeFailure('arguments', `arguments have more than ${ARGUMENTS_CHARS_MAX} characters of JSON`)
  const misspelt = namesIn(schema).fault(given)
  if (misspelt !== null)
    throw new NodeFailure('arguments', `arguments${misspelt.pointer}: ${misspelt.reason}`)
  const faults = judge(given) ?? []
  if (faults.length === 0) return given
  const named = faults.slice(0, FAULTS_MAX).map(({ pointer, reason }) => `arguments${pointer} ${reason}`)
  throw new NodeFailure('arguments', named.join('; '))
}

function outputsOf(answer: ToolAnswer): Plain | NodeFailure {
  if (answer.ok) {
    const { content, structured, isError } = answer
    return { content, structured, is_error: isError }
  }
  const { code, reason, facts, retryAfterMs } = answer
  if (code === null) return new NodeFailure('origin_error', reason)
  const kind = code === 'upstream_timeout' ? 'timeout' : String(PROBLEMS[code].status)
  return new NodeFailure(kind, `${code}: ${reason}`, code, { facts, retryAfterMs })
}

// Tools that origins list, as nodes of workflows call them.

interface KnownTool {
  /** As of `approvalOf`: it covers metadata, of which `execution` decides how the tool is called. */
  readonly hash: string
  /** Null where it has none that is an object. */
  readonly schema: Plain | null
  /** What is wrong with its arguments. */
  readonly judge: Judge
}

const known = new WeakMap<CatalogueFragment, ReadonlyMap<string, KnownTool>>()

/** The tools of an origin by name, read when a workflow first calls one and kept for as long as the catalogue. */
function knownTools(catalogue: CatalogueFragment): ReadonlyMap<string, KnownTool> {
  return keptIn(known, catalogue, () => {
    // The compiler wrote both texts from these very types
    const { tools } = JSON.parse(catalogue.json) as Catalogue
    const hashes = catalogue.hashes === undefined ? null : (JSON.parse(catalogue.hashes) as Approved)
    return new Map(
      [...itemsByKey('tools', tools)].map(([name, { inputSchema }]) => [
        name,
        toKnown((hashes && hashIn(hashes, 'tools', name)) ?? '', isPlain(inputSchema) ? inputSchema : null),
      ]),
    )
  })
}

function toKnown(hash: string, schema: Plain | null): KnownTool {
  let made: Judge | null = null
  return {
    hash,
    schema,
    judge(value, inexact) {
      made ??= schema === null ? () => null : judgeOf(schema)
      return made(value, inexact)
    },
  }
}

/** A schema that cannot be used refuses nothing: the origin judges the arguments itself. */
function judgeOf(schema: Plain): Judge {
  try {
    return createSchemaJudges({}, true).of(schema as JsonSchema, 'request')
  } catch (error) {
    if (error instanceof RangeError) return () => null
    throw error
  }
}
