/** What a run did, for the nodes of the graph: of a trial, or of a call whose record has a trace. */
import type { Json, JsonObject } from '../../../build/document.ts'
import type { Output } from '../../api/client.ts'
import type { State } from '../../kit/status.tsx'
import type { Definition, WorkflowEdge } from './definition.ts'

type Trace = NonNullable<Output<'records.get'>['workflow_trace']>
type Tried = Output<'workflows.test'>

export interface NodeRun {
  readonly state: Extract<State, 'ok' | 'bad' | 'off'>
  /** `ok`, `mock`, `simulated`, or the kind of the failure. */
  readonly word: string
  readonly ms: number
  readonly attempts: number
  readonly handle: string | null
  /** Undefined if the run does not tell. */
  readonly outputs: Json | undefined
  readonly error: string | null
}

export interface Run {
  readonly nodes: ReadonlyMap<string, NodeRun>
  readonly bars: readonly RunBar[]
  readonly logs: Trace['logs']
}

/** One execution of a node in the time of the run, milliseconds. */
export interface RunBar {
  readonly node: string
  readonly within: string | null
  readonly start: number
  readonly duration: number
  readonly attempts: number
  readonly isFailed: boolean
}

export const NO_RUN: Run = { nodes: new Map(), bars: [], logs: [] }

export function runOfTrial({ nodes, trace }: Tried): Run {
  const steps = trace?.nodes ?? []
  const found = new Map<string, NodeRun>()
  for (const { node, within, source, handle, outputs, error } of nodes) {
    if (within !== null) continue
    const step = steps.find((one) => one.node === node && one.within === null)
    found.set(node, {
      state: error === null ? 'ok' : 'bad',
      word: error?.kind ?? (source === 'run' ? 'ok' : source),
      ms: step?.duration_ms ?? 0,
      attempts: step?.attempts ?? 1,
      handle: handle ?? step?.handle ?? null,
      outputs: outputs === null ? undefined : (outputs as Json),
      error: error?.message ?? null,
    })
  }
  // A node whose expression failed has an entry in the trace alone
  for (const [node, run] of ofTrace(steps)) if (!found.has(node)) found.set(node, run)
  return { nodes: found, bars: barsOf(steps), logs: trace?.logs ?? [] }
}

export function runOfTrace({ nodes, logs }: Trace): Run {
  return { nodes: ofTrace(nodes), bars: barsOf(nodes), logs }
}

function ofTrace(steps: Trace['nodes']): ReadonlyMap<string, NodeRun> {
  return new Map(
    steps
      .filter(({ within }) => within === null)
      .map(({ node, duration_ms, attempts, handle, error }) => [
        node,
        {
          state: error === null ? 'ok' : 'bad',
          word: error ?? 'ok',
          ms: duration_ms,
          attempts,
          handle,
          outputs: undefined,
          error,
        },
      ]),
  )
}

function barsOf(steps: Trace['nodes']): readonly RunBar[] {
  return steps.map(({ node, within, start_ms, duration_ms, attempts, error }) => ({
    ...{ node, within, attempts },
    start: start_ms,
    duration: duration_ms,
    isFailed: error !== null,
  }))
}

/** True for an edge that the run took. */
export function isTaken(run: Run, { from, handle, to }: WorkflowEdge): boolean {
  return run.nodes.get(from)?.handle === handle && run.nodes.has(to)
}

/** Left edge and width of a bar, as shares of the whole. A bar is never invisible. */
export function placeOf(
  { start, duration }: RunBar,
  bars: readonly RunBar[],
): { left: number; width: number } {
  const end = Math.max(...bars.map((bar) => bar.start + bar.duration), 0.001)
  const left = Math.min(start / end, 0.99)
  return { left, width: Math.min(Math.max(duration / end, 0.01), 1 - left) }
}

/** `ok, 12 ms, 2 attempts`. */
export function runWords({ word, ms, attempts }: NodeRun): string {
  const time = ms < 1 ? '<1 ms' : `${Math.round(ms).toLocaleString('en')} ms`
  return [word, time, attempts > 1 && `${attempts} attempts`].filter(Boolean).join(', ')
}

/** Nodes of the workflow itself that a trial simulated, each once: they gave empty outputs. */
export function simulatedOf({ nodes }: Pick<Tried, 'nodes'>): readonly string[] {
  return [
    ...new Set(
      nodes.flatMap(({ node, within, source }) => (within === null && source === 'simulated' ? [node] : [])),
    ),
  ]
}

/** What stands in the place of nodes in trials, by id. */
export type Mocks = Readonly<Record<string, JsonObject>>

/** Mocks of nodes that the document has. */
export function mocksFor(mocks: Mocks, { nodes }: Definition): Mocks {
  const ids = new Set(nodes.map(({ id }) => id))
  return Object.fromEntries(Object.entries(mocks).filter(([id]) => ids.has(id)))
}
