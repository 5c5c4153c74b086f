/**
 * The plan of a trial: the same nodes as in a request, with mocks in the place of some, and what each one gives kept.
 *
 * Unless the trial is live, a node runs only if its type says so (`inTrial` of its run). Every other node is simulated: it asks nobody, and
 * gives the outputs that its type names.
 */
import type { Plain } from '../../base/json/storable.ts'
import type { NodeMock, TrialStep } from '../../model/workflow/trial.ts'
import { NodeFailure, type NodeResult } from '../../nodes/run.ts'
import { NODE_RUNS } from '../../nodes/runs.ts'
import type { LinkedNode, LinkedPlan } from './linked-plan.ts'

/** What is kept of the outputs of nodes. */
export interface KeptOutputs {
  /** Characters of JSON of the outputs of one node, and of all. */
  readonly valueChars: number
  readonly allChars: number
  /** What is shown of outputs, as JSON gives them; null for all of them. */
  readonly shown: ((outputs: unknown) => unknown) | null
  /** A type of nodes whose results are not kept; empty for none. */
  readonly without: string
}

const OF_TRIALS: KeptOutputs = {
  valueChars: 64 * 1024,
  allChars: 512 * 1024,
  shown: null,
  without: '',
}

/** Results that are kept. */
const STEPS_MAX = 200

/** What the nodes of a trial gave. */
export class TrialWatch {
  readonly steps: TrialStep[] = []
  readonly #mocks: ReadonlyMap<string, NodeMock>
  readonly #isLive: boolean
  readonly #kept: KeptOutputs
  #charsLeft: number

  /** @param mocks by id of a node of the outer workflow */
  constructor(mocks: Readonly<Record<string, NodeMock>>, isLive: boolean, kept = OF_TRIALS) {
    this.#kept = kept
    this.#charsLeft = kept.allChars
    this.#mocks = new Map(Object.entries(mocks))
    this.#isLive = isLive
  }

  /** @param within empty for the outer workflow */
  plan({ nodes, needsBody }: LinkedPlan, within: string): LinkedPlan {
    return { needsBody, nodes: nodes.map((node) => this.#watched(node, within)) }
  }

  #watched(linked: LinkedNode, within: string): LinkedNode {
    const { node, execute, onward, isTail } = linked
    if (node.type === this.#kept.without) return linked
    const mock = within === '' ? this.#mocks.get(node.id) : undefined
    const keep = (source: TrialStep['source'], result: NodeResult): NodeResult => {
      this.#keep(node.id, within, source, result, null)
      return result
    }
    const fail = (source: TrialStep['source'], error: unknown): never => {
      this.#keep(node.id, within, source, null, error)
      throw error
    }
    if (mock !== undefined) {
      const { handle = onward, outputs, error } = mock
      return {
        ...linked,
        isTail: false,
        execute: () =>
          error === undefined
            ? keep('mock', { handle, outputs })
            : fail('mock', new NodeFailure(error.kind, error.message)),
      }
    }
    const inTrial = NODE_RUNS.get(node.type)?.inTrial
    if (!this.#isLive && inTrial !== 'runs') {
      const outputs = inTrial?.outputs ?? {}
      return { ...linked, isTail: false, execute: () => keep('simulated', { handle: onward, outputs }) }
    }
    return {
      ...linked,
      isTail: this.#isLive && isTail,
      execute: (inputs, context) => {
        try {
          const result = execute(inputs, context)
          return result instanceof Promise
            ? result.then(
                (came) => keep('run', came),
                (error: unknown) => fail('run', error),
              )
            : keep('run', result)
        } catch (error) {
          return fail('run', error)
        }
      },
    }
  }

  #keep(
    node: string,
    within: string,
    source: TrialStep['source'],
    result: NodeResult | null,
    error: unknown,
  ): void {
    if (this.steps.length === STEPS_MAX) return
    const outputs = result === null ? null : this.#shown(result.outputs)
    this.steps.push({
      node,
      within,
      source,
      handle: result === null || result.handle === '' ? null : result.handle,
      outputs,
      error: result === null ? shownError(error) : null,
    })
  }

  #shown(outputs: Plain): string | null {
    const { valueChars, shown } = this.#kept
    const max = Math.min(valueChars, this.#charsLeft)
    let json: string
    try {
      // No request waits until a long value is written only to be left out: one list may stand at many places of it
      let left = max
      json = JSON.stringify(outputs, (_name, value: unknown) => {
        left -= typeof value === 'string' ? value.length : 1
        if (left < 0) throw new RangeError('the outputs are too long')
        return value instanceof Uint8Array ? `[${value.length} bytes]` : value
      })
      if (shown !== null) json = JSON.stringify(shown(JSON.parse(json)))
    } catch {
      // Members of a request are read when they are first asked for, and a body may not be what it promises
      return null
    }
    if (json.length > max) return null
    this.#charsLeft -= json.length
    return json
  }
}

function shownError(error: unknown): TrialStep['error'] {
  if (error instanceof NodeFailure) return { kind: error.kind, message: error.message }
  return { kind: 'fault', message: 'fault' }
}
