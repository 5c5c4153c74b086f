/**
 * The endpoint `/mcp`. Every message has exactly one record: a message that leads to a call has the record of the
 * call; any other message (discovery, notification, refusal) has its own, written when the HTTP request ends. A
 * request without a message (`GET`, `DELETE`, a body that is not JSON) counts as one message.
 */
import type { Clock } from '../../base/clock.ts'
import type { Once } from '../../shared-state/ports/once.ts'
import type { Tombstones } from '../../shared-state/ports/tombstones.ts'
import type { Incoming } from '../../wire/port.ts'
import { createHttpDoor, type HttpDoorOptions } from '../http/door.ts'
import type { Sender } from '../http/message.ts'
import { toMessageOutcome } from '../http/message.ts'
import { callName, type RunningCalls } from '../http/running.ts'
import { createChallenges, createScopeCheck } from '../http/scopes.ts'
import type { RelayDoor } from '../protocol/door.ts'
import { createMcpEndpoint } from '../protocol/endpoint.ts'
import { SERVER_INFO } from '../protocol/modern.ts'
import { createConsumerRelay } from './consumer-methods.ts'

export interface ConsumerDoorOptions<State> extends HttpDoorOptions<State> {
  /** 32 bytes that seal session ids; the same on every thread and node. */
  readonly sealKey: Uint8Array
  readonly tombstones: Tombstones
  /** Replies to questions that were used. */
  readonly usedReplies: Once
  readonly running: RunningCalls
  readonly version: string
  readonly clock: Clock
}

/** The Gateway MCP door (`/mcp`) of one gateway thread. */
export function createConsumerDoor<State>(
  options: ConsumerDoorOptions<State>,
): (incoming: Incoming<State>) => void {
  const endpoint = createMcpEndpoint(consumerDoor(options), {
    sealKey: options.sealKey,
    clock: options.clock,
    tombstones: options.tombstones,
    usedReplies: options.usedReplies,
    fault: (error) => options.fault(error, ''),
  })
  return createHttpDoor(options, () => endpoint)
}

function consumerDoor(
  options: Pick<ConsumerDoorOptions<never>, 'origin' | 'gateway' | 'running' | 'version' | 'fault' | 'clock'>,
): RelayDoor<Sender> {
  const { gateway, running } = options
  const info = { name: 'postern', title: 'Postern Gateway', version: options.version }
  const meta = `"_meta":${JSON.stringify({ [SERVER_INFO]: info })}`
  return {
    name: 'gateway_mcp',
    info,
    identityOf: ({ caller: { client, profile, subject } }) =>
      subject === '' ? `${client.id}/${profile.id}` : `${client.id}/${profile.id}/${subject}`,
    relay: createConsumerRelay({ ...options, meta }),
    refuses: createScopeCheck(createChallenges(options.origin)),
    cancel: (sessionId, id) => running.cancel(callName(sessionId, id)),
    answered({ incoming, requestId }, received) {
      // A call has the record of the call, also one that was given up
      if (!received.isAccounted) gateway.message(incoming, toMessageOutcome(received, requestId))
    },
  }
}
