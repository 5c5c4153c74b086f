import type { z } from 'zod'
import type { Grant, Principal } from '../../access/principal.ts'
import { canonicalJson } from '../../base/json/canonical.ts'
import { type RefusalCode, refuse } from '../../base/refusal.ts'
import type { ResourceType } from '../../model/resource-types.ts'
import type { ConfigReader, ConfigWriter } from '../../store/ports/config.ts'
import type { Fields } from '../../store/ports/resource.ts'
import type { Vault } from '../../vault/vault.ts'
import type { Content, Invoked, Subject, Via, WriteOptionName } from './call.ts'
import type { OperationContext } from './context.ts'
import type { KindSchema } from './kind-schema.ts'
import type { Needs } from './permission.ts'
import { fingerprinted } from './unread.ts'
import type { WriteOptions } from './write-options.ts'

/**
 * What an operation is. From it follow the HTTP method and path, the default permission verb, whether it is
 * audited, the MCP hints and whether the CLI asks for confirmation.
 */
type Effect = 'read' | 'create' | 'update' | 'delete' | 'act'

/** An operation of the registry: definition and handler in one object. Importing it pulls in no database. */
export interface Operation<
  I extends z.ZodObject = z.ZodObject,
  O extends z.ZodObject = z.ZodObject,
  P = z.output<I>,
> extends Needs {
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
  /** The kind of the resources that a read answers, whose references `expand` follows. */
  readonly answers?: KindSchema
  /** Codes it may answer besides those of every operation (input_invalid, permission_denied, internal_error). */
  readonly refuses: readonly RefusalCode[]
  /**
   * Options of writes that mean nothing for it. Surfaces do not offer them, and a call with one is refused with input_invalid.
   * {@link ONCE} are those of what happens once.
   */
  readonly without?: readonly WriteOptionName[]
  /** Repeating it changes nothing more. Defaults by effect: read, update, delete true; create, act false. */
  readonly idempotent?: boolean
  /** The output holds a secret that is shown once; replays refuse instead of repeating it. */
  readonly revealsOnce?: boolean
  /** True for input with which it ends what cannot be brought back, as deletions always do. */
  readonly destroys?: (input: Readonly<Record<string, unknown>>) => boolean
  /** Columns of the human table, as paths into the output (of list items). The differences of a last one, `diff`, follow the table. */
  readonly columns: readonly string[]
  /** Of resources inside of the answer, by member: what the human table shows of each, as paths into it. */
  readonly parts?: Readonly<Record<string, readonly string[]>>
  /** Lists inside of the answer that the human table shows as tables of their own, by member: their columns. */
  readonly tables?: Readonly<Record<string, readonly string[]>>
  /** Sentences that the CLI prints instead of a table. */
  readonly sentences?: (output: Readonly<Record<string, unknown>>) => readonly string[]
  /** It takes whole API descriptions, or thousands of resources at once: its input has at most `LARGE_INPUT_BYTES_MAX` bytes. */
  readonly large?: true
  /** It changes thousands of resources at once, and finds all of the configuration in memory. */
  readonly inMemory?: true
  /**
   * A read that waits for what comes after a `cursor`, as `items` with `next_cursor` and `missed`. REST gives it as a stream of events
   * where a caller accepts these; the CLI goes on until it is interrupted. It has an input `wait`, in seconds.
   */
  readonly follows?: true
  /** A read whose input is too large for a query: REST takes it by POST. */
  readonly posted?: true
  /**
   * What its entry in the trail calls it, where that does not follow from the effect: reading out is `READ`, though it
   * makes a file, and a read that says so leaves an entry.
   */
  readonly noted?: 'READ'
  /** False for input with which a read that is noted reads nothing that needs an entry. Absent: each read has one. */
  readonly notes?: (input: z.output<I>) => boolean
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

/** Repeating a call of the operation changes nothing more. */
export function isIdempotent({ idempotent, effect }: Operation): boolean {
  return idempotent ?? (effect === 'read' || effect === 'update' || effect === 'delete')
}

/** Types an operation by its schemas. The result is stored with erased types in the registry. */
export function define<I extends z.ZodObject, O extends z.ZodObject, P = z.output<I>>(
  operation: Operation<I, O, P>,
): Operation {
  // The registry holds operations of all shapes; invoke parses the input with the very schema it hands to handle.
  return operation as unknown as Operation
}

/** What the engine is told of the operations and kinds that there are; it imports neither. */
export interface Registry {
  /** Those that surfaces offer. */
  readonly operations: readonly Operation[]
  readonly kindOf: (type: ResourceType) => KindSchema
}

/** The only way in. Throws a Refusal for everything expected. */
export type Invoke = (
  operation: Operation,
  input: unknown,
  options: WriteOptions,
  principal: Principal,
  via: Via,
) => Promise<Invoked>

/** What happens once, to what is there now, is neither tried out nor answered from memory. */
export const ONCE: readonly WriteOptionName[] = ['dry_run', 'idempotency_key', 'expected_revision']

/** What any change of the fields of a resource may be refused with. */
export const CHANGE_REFUSES: readonly RefusalCode[] = [
  'not_found',
  'already_exists',
  'revision_conflict',
  'configuration_invalid',
  'idempotency_conflict',
]

/** What an operation on one resource touches and names. */
export const about = (schema: KindSchema) => ({
  subject: (input: Fields, output: Fields | undefined): Subject => {
    const ref = typeof input['id'] === 'string' ? input['id'] : null
    const asked = typeof input['slug'] === 'string' ? input['slug'] : null
    const isId = ref?.includes('_') === true
    return {
      type: schema.noun,
      id: text(output?.['id']) ?? (isId ? ref : null),
      slug: text(output?.['slug']) ?? asked ?? (isId ? null : ref),
    }
  },
})

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)

/** What the audit calls a thing that is known by its id alone: the one of the answer, or else the one asked for. */
export function subjectById(type: string): (input: object, output: object | undefined) => Subject {
  return (input, output) => ({ type, id: idIn(output) ?? idIn(input), slug: null })
}

function idIn(from: object | undefined): string | null {
  return from !== undefined && 'id' in from && typeof from.id === 'string' ? from.id : null
}

// Idempotency keys of management: a repeated write gets the answer of the first one.

const KEPT_MS = 24 * 3_600_000

/** What makes two calls the same call. */
export interface Attempt {
  readonly scope: string
  readonly fingerprint: string
}

/**
 * The attempt that a key names, or null without a key. The fingerprint is keyed: inputs hold secrets. It has the grants
 * of the caller too: whoever may do less than then is not given the answer again.
 */
export function attemptOf(
  operation: Operation,
  input: unknown,
  options: WriteOptions,
  principal: Principal,
  vault: Vault,
): Attempt | null {
  const { idempotencyKey: key, mode, confirm, expectedRevision, reason } = options
  if (key === undefined) return null
  return {
    scope: canonicalJson([principal.id, operation.resource, operation.action, key]),
    fingerprint: vault.fingerprint(
      canonicalJson({
        input: fingerprinted(input),
        mode,
        confirm,
        expectedRevision,
        reason,
        grants: principal.grants.map(toPlain),
      }),
    ),
  }
}

function toPlain({ role, scope }: Grant): unknown {
  return { role: typeof role === 'object' ? [...role.permissions].sort() : role, scope }
}

/**
 * The first answer to the same attempt, or undefined. Refuses with idempotency_conflict when the key was used for
 * something else, and with secret_already_shown when the answer had a secret.
 */
export async function replay(
  reader: ConfigReader,
  attempt: Attempt,
  now: number,
): Promise<Invoked | undefined> {
  const stored = await reader.answer(attempt.scope)
  if (stored === undefined || stored.expires_at <= now) return undefined
  if (stored.fingerprint !== attempt.fingerprint) throw refuse('idempotency_conflict')
  if (stored.answer === null) throw refuse('secret_already_shown')
  // Only remember writes these, from an Invoked.
  return stored.answer as unknown as Invoked
}

/** Keeps an answer for a day; one with a secret only as the fact that it was given. */
export async function remember(
  writer: ConfigWriter,
  attempt: Attempt,
  answer: Invoked,
  revealed: boolean,
  now: number,
): Promise<void> {
  await writer.putAnswer(
    { ...attempt, answer: revealed ? null : { ...answer }, expires_at: now + KEPT_MS },
    now,
  )
}
