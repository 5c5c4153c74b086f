import { z } from 'zod'
import type { DriverName } from '../base/drivers.ts'
import type { Plain } from '../base/json/storable.ts'
import type { CredentialType } from '../model/api/credential.ts'
import type { JsonSchema } from '../model/api/proxy.ts'
import type { UpstreamTlsSpec } from '../model/api/upstream.ts'
import type { Finding, WorkflowNode } from '../model/workflow/workflow.ts'
import { createSchemaJudges } from '../snapshot/schema/judge.ts'

/** What a node is for. */
export const PHASES = ['trigger', 'call', 'decide', 'flow', 'data', 'store', 'send', 'end'] as const
type Phase = (typeof PHASES)[number]

/** The server that a node asks by its settings alone. */
export type NodeDestination = HttpDestination | ServiceDestination

interface Destination {
  readonly url: string
  /** Id or slug of the credential that is sent to it; null for none. */
  readonly credential: string | null
}

interface HttpDestination extends Destination {
  readonly member: 'url' | 'base_url'
  readonly tls: Omit<UpstreamTlsSpec, 'verify'> | null
}

/** A database or a mail server. The scheme of its URL stands for no protocol: host and port count. */
interface ServiceDestination extends Destination {
  /** Of the settings, that names the server. */
  readonly member: 'host'
  /** How TLS is spoken. */
  readonly tls: unknown
}

/** A type of node: all that is known of it without running it. */
export interface NodeType {
  readonly name: string
  readonly phase: Phase
  readonly summary: string
  /** What stands in the definition and is the same in every run. */
  readonly config: z.ZodType
  /**
   * Values that each run computes, by name; a name that ends with `?` may be left out. `*` takes any names. Texts begin with a type:
   * string, boolean, integer, number, list, object or any. What has one of several types says so with `or`.
   */
  readonly inputs: Readonly<Record<string, string>>
  /** What expressions of later nodes find under its id. `*` are those of the inputs, or the nodes before. */
  readonly outputs: Readonly<Record<string, string>>
  /** Types of the members of outputs that are objects with the same members in every run. */
  readonly members?: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** By which a run leaves it; none for the end of a run. */
  readonly handles: readonly string[]
  /** Those that it has by its settings, where they decide. */
  readonly handlesBy?: (config: Readonly<Record<string, unknown>>) => readonly string[]
  /** Types of credentials that `credential` of its settings may name. */
  readonly credentials?: readonly CredentialType[]
  /** Package that it needs and that is no part of Postern. */
  readonly driver?: DriverName
  /** The server that it asks beside the upstream; null for settings with faults. Absent where nodes of the type ask none. */
  readonly destination?: (config: Readonly<Record<string, unknown>>) => NodeDestination | null
  /** What is wrong with a node beyond the form of its settings, judged by what they refer to. */
  readonly faults?: (node: WorkflowNode, known: Known) => readonly NodeFault[]
}

/** Keeps a node from running. */
export interface NodeFault {
  readonly code: Finding['code']
  /** From the node to what is wrong. */
  readonly path: readonly (string | number)[]
  readonly message: string
}

/** Leaves by one handle. */
export const ONWARD: readonly string[] = ['default']
/** A node that asks others, which may fail: `error` is used with `on_error: handle`. */
export const ASKING: readonly string[] = ['success', 'error']
export const EITHER: readonly string[] = ['true', 'false']

export const NONE = z.strictObject({})
export const Text = z.string().min(1).max(1024)

/** Outputs of nodes that call a server over HTTP. */
export const ANSWER = { status: 'integer', headers: 'object', body: 'any' }

/** A JSON Schema in the settings of a node, which is compiled when the workflow is saved. */
export const NodeSchema = z
  .union([z.boolean(), z.record(z.string(), z.json())])
  .superRefine((schema, context) => {
    try {
      createSchemaJudges({}, false).of(schema as JsonSchema, 'request')
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : 'no JSON Schema' })
    }
  })

/** References in the settings of nodes, by the member that holds them. They are ids in what is stored. */
export const REFERENCES = {
  credential: 'credentials',
  workflow: 'workflows',
  clients: 'clients',
  profiles: 'profiles',
  origin: 'origins',
} as const
export type Referred = (typeof REFERENCES)[keyof typeof REFERENCES]

/** An origin as far as nodes are judged by it. */
export interface KnownOrigin {
  readonly slug: string
  readonly kind: 'http' | 'collection' | 'stdio'
  /** Whose account its calls use: `user` is that of the person who calls. */
  readonly account: 'user' | 'shared'
  /** Its tools by name, with their hashes; null before its first catalogue. */
  readonly tools: ReadonlyMap<string, { readonly item: Plain; readonly hash: string }> | null
}

/** What a definition refers to beyond itself. */
export interface Known {
  has(type: Referred, ref: string): boolean
  /** Type of the credential that a reference names; undefined where it is not known. */
  credentialType(ref: string): string | undefined
  hasDriver(name: DriverName): boolean
  /** Null for an origin that is not there, or of which nothing is known. */
  origin(ref: string): KnownOrigin | null
}
