/** The messages of `subscriptions/listen` (2026-07-28, basic/patterns: subscriptions). */
import { RPC } from './answer.ts'
import { isMembers, type Members, type RpcId } from './message.ts'
import type { RelayedAnswer } from './relay.ts'

/** What a caller wants to hear of. */
export interface Wanted {
  readonly tools: boolean
  readonly prompts: boolean
  readonly resources: boolean
  /** URIs of resources. */
  readonly uris: ReadonlySet<string>
}

/** Member of `_meta` that names the listen which a message belongs to. */
const SUBSCRIPTION_ID = 'io.modelcontextprotocol/subscriptionId'
/** Resources that one listen may name; further ones are not honoured. */
const URIS_MAX = 100
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
      Array.isArray(uris) ? uris.filter((uri) => typeof uri === 'string').slice(0, URIS_MAX) : [],
    ),
  }
}

/** Texts of what is told on the stream of one listen, by the id of its request. */
export function listenTexts(id: RpcId) {
  const _meta = { [SUBSCRIPTION_ID]: id }
  return {
    /** @param uri of `notifications/resources/updated`; null for the others */
    changed: (method: string, uri: string | null): string =>
      JSON.stringify({ jsonrpc: '2.0', method, params: { ...(uri === null ? {} : { uri }), _meta } }),
    /** The first message: what of that which was asked for is told. */
    acknowledged({ tools, prompts, resources, uris }: Wanted): string {
      const notifications = {
        ...(tools ? { toolsListChanged: true } : {}),
        ...(prompts ? { promptsListChanged: true } : {}),
        ...(resources ? { resourcesListChanged: true } : {}),
        ...(uris.size === 0 ? {} : { resourceSubscriptions: [...uris] }),
      }
      const method = 'notifications/subscriptions/acknowledged'
      return JSON.stringify({ jsonrpc: '2.0', method, params: { notifications, _meta } })
    },
    /** The result, where the server ends it. */
    ended: JSON.stringify({ resultType: 'complete', _meta }),
  }
}
