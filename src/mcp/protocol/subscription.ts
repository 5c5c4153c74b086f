/** The messages of `subscriptions/listen` (2026-07-28, basic/patterns: subscriptions). */
import { RPC } from './answer.ts'
import { isMembers, type Members, type RpcId, writableId } from './message.ts'
import type { RelayedAnswer } from './relay-port.ts'

/** What a caller wants to hear of. */
export interface Wanted {
  readonly tools: boolean
  readonly prompts: boolean
  readonly resources: boolean
  /** URIs of resources. */
  readonly uris: ReadonlySet<string>
}

/** False for a URI that is too long to be remembered. */
export function isSubscribable(uri: string): boolean {
  return uri.length <= SUBSCRIBED_CHARS_MAX
}

/** Member of `_meta` that names the listen which a message belongs to. */
const SUBSCRIPTION_ID = 'io.modelcontextprotocol/subscriptionId'
/** Resources that one listen may name; further ones are not honoured. */
const URIS_MAX = 100
/** Characters of the URI of a resource that is subscribed to: as many as one in a catalogue has. */
export const SUBSCRIBED_CHARS_MAX = 2048
/** Tasks likewise. */
const TASKS_MAX = 100
/** The answer to a client that reads no streams. */
export const NEEDS_STREAM: RelayedAnswer = {
  kind: 'error',
  code: RPC.invalidRequest,
  message: 'Accept must list text/event-stream',
  status: 406,
}
const EMPTY: Members = Object.freeze({})

/** What the parameters of the request ask for; what cannot be read is not asked for. */
export function wantedOf(params: Members): Wanted {
  const asked = isMembers(params['notifications']) ? params['notifications'] : EMPTY
  const uris = asked['resourceSubscriptions']
  return {
    tools: asked['toolsListChanged'] === true,
    prompts: asked['promptsListChanged'] === true,
    resources: asked['resourcesListChanged'] === true,
    uris: new Set(
      Array.isArray(uris)
        ? uris.filter((uri) => typeof uri === 'string' && isSubscribable(uri)).slice(0, URIS_MAX)
        : [],
    ),
  }
}

/** Ids of tasks that a listen asks for (SEP-2663: task status notifications). */
export function taskIdsOf(params: Members): readonly string[] {
  const { taskIds } = isMembers(params['notifications']) ? params['notifications'] : EMPTY
  if (!Array.isArray(taskIds)) return []
  return [...new Set((taskIds as readonly unknown[]).filter((id) => typeof id === 'string'))].slice(
    0,
    TASKS_MAX,
  )
}

/** Texts of what is told on the stream of one listen, by the id of its request. */
export function listenTexts(id: RpcId) {
  const _meta = { [SUBSCRIPTION_ID]: writableId(id) }
  return {
    /** @param uri of `notifications/resources/updated`; null for the others */
    changed: (method: string, uri: string | null): string =>
      JSON.stringify({ jsonrpc: '2.0', method, params: { ...(uri === null ? {} : { uri }), _meta } }),
    /** @param task as `tasks/get` gives it */
    task: (task: Members): string =>
      JSON.stringify({ jsonrpc: '2.0', method: 'notifications/tasks', params: { ...task, _meta } }),
    /** The first message: what of that which was asked for is told. @param taskIds null where none were asked for */
    acknowledged(
      { tools, prompts, resources, uris }: Wanted,
      taskIds: readonly string[] | null = null,
    ): string {
      const notifications = {
        ...(tools ? { toolsListChanged: true } : {}),
        ...(prompts ? { promptsListChanged: true } : {}),
        ...(resources ? { resourcesListChanged: true } : {}),
        ...(uris.size === 0 ? {} : { resourceSubscriptions: [...uris] }),
        ...(taskIds === null ? {} : { taskIds }),
      }
      const method = 'notifications/subscriptions/acknowledged'
      return JSON.stringify({ jsonrpc: '2.0', method, params: { notifications, _meta } })
    },
    /** The result, where the server ends it. */
    ended: JSON.stringify({ resultType: 'complete', _meta }),
  }
}
