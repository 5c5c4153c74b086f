/** Workflows as gateway threads run them: plain data, with all expressions parsed and all defaults filled in. */
import type { Template } from '../base/expression/template.ts'
import type { Formed, UpstreamFragment } from './fragments.ts'

/** A workflow that several proxies may share. */
export interface WorkflowFragment extends Formed {
  readonly kind: 'workflow'
  readonly id: string
  readonly slug: string
  /** Null for a draft with faults: no published proxy refers to it. */
  readonly plan: PlanFragment | null
}

/** A workflow that can be run. */
export interface PlanFragment {
  /** The trigger is the first. */
  readonly nodes: readonly PlanNode[]
}

export interface PlanNode {
  /** Names its outputs in expressions. */
  readonly id: string
  readonly type: string
  /** As the schema of the type gives it. */
  readonly config: Readonly<Record<string, unknown>>
  /** An object. */
  readonly inputs: Template
  /** Places of the nodes to which each handle leads. */
  readonly ways: Readonly<Record<string, readonly number[]>>
  readonly timeout_ms?: number
  readonly retry?: PlanRetry
  /** Absent: the run fails with the node. */
  readonly on_error?: 'handle' | 'fallback'
  /** Outputs of a node that has failed. */
  readonly fallback?: unknown
  /** Absent: it asks none but the upstream. */
  readonly server?: ServerFragment
}

/** A server that a node asks, with a credential of the node. */
export interface ServerFragment {
  /** Its path is empty. */
  readonly upstream: UpstreamFragment
  /** Of the URL, `/` at least. */
  readonly path: string
  /** Id, or null for none. */
  readonly credential: string | null
}

interface PlanRetry {
  readonly max: number
  readonly delay_ms: number
  /** `timeout`, or statuses. */
  readonly on: readonly string[]
}
