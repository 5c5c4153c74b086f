import type { z } from 'zod'
import type { Permission, Principal } from '../access/principal.ts'
import type { RefusalCode } from '../base/refusal.ts'
import type { AuditEntry } from '../model/audit.ts'
import type { Surface } from '../model/record.ts'
import type { OperationContext } from './context.ts'

/**
 * What an operation is. From it follow the HTTP method and path, the default permission verb, whether it is
 * audited, the MCP hints and whether the CLI asks for confirmation.
 */
type Effect = 'read' | 'create' | 'update' | 'delete' | 'act'

/** What an operation is about, for the audit entry. */
export interface Subject {
  readonly type: string
  readonly id: string | null
  readonly slug: string | null
  readonly collection?: string | null
}

/** An operation of the registry: definition and handler in one object. Importing it pulls in no database. */
export interface Operation<
  I extends z.ZodObject = z.ZodObject,
  O extends z.ZodObject = z.ZodObject,
  P = z.output<I>,
> {
  /** Plural noun; also the REST path segment and the CLI command. */
  readonly resource: string
  /** `list`, `get`, `create`, `update`, `put`, `delete`, or a verb of its own such as `publish`. */
  readonly action: string
  readonly effect: Effect
  /** Name of the fine-grained MCP tool; null keeps it off MCP (where another tool does the same). */
  readonly tool: string | null
  /** Name of the grouped MCP tool. */
  readonly group: string
  /** One sentence for people and models. */
  readonly summary: string
  /** Flat object; member `id` is the resource it acts on (path parameter in REST, argument in the CLI). */
  readonly input: I
  readonly output: O
  readonly permission: Permission
  /** Who may do it to what is their own, without the permission; that is then needed for what is others'. */
  readonly own?: (principal: Principal) => boolean
  /** Codes it may answer besides those of every operation (input_invalid, permission_denied, internal_error). */
  readonly refuses: readonly RefusalCode[]
  /** Repeating it changes nothing more. Defaults by effect: read, update, delete true; create, act false. */
  readonly idempotent?: boolean
  /** The output holds a secret that is shown once; replays refuse instead of repeating it. */
  readonly revealsOnce?: boolean
  /** True for input with which it ends what cannot be brought back, as deletions always do. */
  readonly destroys?: (input: Readonly<Record<string, unknown>>) => boolean
  /** Columns of the human table, as paths into the output (of list items). */
  readonly columns: readonly string[]
  /** Of resources inside of the answer, by member: what the human table shows of each, as paths into it. */
  readonly parts?: Readonly<Record<string, readonly string[]>>
  /** It is about what no scope could name, so that a grant within a scope does not do. */
  readonly unscoped?: true
  /** It does nothing but what is permitted resource by resource, so that grants narrowed to types may call it too. */
  readonly itemwise?: true
  /** It takes thousands of resources at once: its body may be as large as that of an import. */
  readonly large?: true
  /** It changes thousands of resources at once, and finds the configuration held in memory. */
  readonly held?: true
  /** A read whose input is too large for a query: REST takes it by POST. */
  readonly posted?: true
  /**
   * What its entry in the trail calls it, where that does not follow from the effect: reading out is `READ`, though it
   * makes a file, and a read that says so leaves an entry.
   */
  readonly noted?: 'READ'
  /** REST answers it with bytes in the place of its output; it stands on no other surface. */
  readonly content?: {
    /** Media types, of which the bytes have one. */
    readonly mediaTypes: readonly string[]
    /** The bytes for what `handle` has answered. Refuses. */
    readonly open: (output: z.output<O>, context: OperationContext) => Promise<Content>
  }
  /** What the audit entry names. Output is undefined when it was refused. */
  readonly subject: (input: z.output<I>, output: z.output<O> | undefined) => Subject
  /**
   * Work that may take long, done before the transaction: others wait for that. Its context is that of a read. Gives
   * what `handle` gets in the place of the input; refuses.
   */
  readonly prepare?: (input: z.output<I>, context: OperationContext) => Promise<P>
  /** True for an answer that tells a failure: the command line ends with 1. */
  readonly fails?: (output: z.output<O>) => boolean
  readonly handle: (input: P, context: OperationContext) => Promise<z.output<O>>
}

/** Bytes that an operation answers. */
export interface Content {
  readonly mediaType: string
  /** As which a browser keeps them: visible ASCII without quotes. */
  readonly fileName: string
  readonly bytes: number
  /** Nothing is held open before it is read. */
  readonly stream: ReadableStream<Uint8Array>
}

/** Types an operation by its schemas. The result is stored with erased types in the registry. */
export function define<I extends z.ZodObject, O extends z.ZodObject, P = z.output<I>>(
  operation: Operation<I, O, P>,
): Operation {
  // The registry holds operations of all shapes; invoke parses the input with the very schema it hands to handle.
  return operation as unknown as Operation
}

/** How a call came in: the only thing by which two audit entries of the same change differ. */
export interface Via {
  readonly surface: Surface
  readonly requestId: string
  readonly ip: string | null
  readonly userAgent: string | null
  readonly http: { readonly method: string; readonly url: string } | null
  readonly agent: Agent | null
  /** Who approved the call, where it was held until somebody did. */
  readonly approver?: AuditEntry['approver']
}

/** What an AI agent says about itself; declared, never trusted. */
interface Agent {
  readonly name: string | null
  readonly version: string | null
  readonly sessionId: string | null
  readonly conversationId: string | null
}

/** Safety that every write takes, on every surface, beside its own input. */
export interface WriteOptions {
  /** Validate and return the difference; store nothing. */
  readonly dryRun?: boolean
  /** Refuse with revision_conflict unless the resource is at this revision. */
  readonly expectedRevision?: number
  /** Same key and same input within 24 h: the first answer again. */
  readonly idempotencyKey?: string
  /** Kept in the audit entry. */
  readonly reason?: string
  /** Slug of the resource, for what cannot be undone. */
  readonly confirm?: string
  /** `draft` stages the change of a published resource until it is published. */
  readonly mode?: 'live' | 'draft'
}

/** What every surface projects. */
export interface Invoked {
  /** 201 for create (and a put that created), 202 for what waits for another person, else 200. */
  readonly status: 200 | 201 | 202
  readonly output: Record<string, unknown>
  /** Revision of the resource, for the ETag; null where there is none. */
  readonly revision: number | null
  /** Revision of the whole configuration after a change; null for reads. */
  readonly configRevision: number | null
  /** A gateway thread has not confirmed the change in time; it will hold shortly. */
  readonly pending: boolean
  /** Of a dry run: JSON patch with old values, secrets as "changed". */
  readonly diff: readonly DiffEntry[] | null
  /** Of a dry run: names of the rules by which it would wait for another person. */
  readonly approval?: readonly string[]
  /** In the place of the output, of operations that answer bytes. */
  readonly content?: Content
}

export interface DiffEntry {
  readonly op: 'add' | 'remove' | 'replace'
  readonly path: string
  readonly from?: unknown
  readonly value?: unknown
  /** Identity of the item of a list in which the difference lies. */
  readonly item?: string
  /** Of a long text in a review: number of the first line. */
  readonly line?: number
  /** Of a text that stands in several entries of a review: `2/3`. */
  readonly part?: string
}

/** The only way in. Throws a Refusal for everything expected. */
export type Invoke = (
  operation: Operation,
  input: unknown,
  options: WriteOptions,
  principal: Principal,
  via: Via,
) => Promise<Invoked>

/** Members of an answer that are shown once, where {@link Operation.revealsOnce} says that it has such. */
export const SHOWN_ONCE: ReadonlySet<string> = new Set([
  'token',
  'signing_secret',
  'set_up_url',
  'client_secret',
])
