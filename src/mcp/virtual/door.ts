/** The endpoints `/mcp/{slug}`. A caller without an assignment gets the answer of a virtual MCP that does not exist. */
import { DOORS } from '../../base/doors.ts'
import type { Events } from '../../shared-state/ports/events.ts'
import type { HeldCalls } from '../../shared-state/ports/held-calls.ts'
import type { JoinedVirtualMcp } from '../../snapshot/find/virtual-mcps.ts'
import type { LinkedOrigin } from '../../snapshot/linked-types/mcp.ts'
import type { Incoming } from '../../wire/port.ts'
import { createProgress } from '../endpoints/call.ts'
import { createEndpoints, createHttpDoor, type HttpDoorOptions } from '../http/door.ts'
import { createListens } from '../http/listens.ts'
import { identityOf, type Sender } from '../http/message.ts'
import type { McpEndpoint } from '../protocol/endpoint.ts'
import { createLogLevels } from '../protocol/relay-port.ts'
import { createClientQuestions } from '../protocol/relayed-requests.ts'
import { createSessionSubscriptions } from '../protocol/subscription.ts'
import type { OriginAccess } from './call/argument-headers.ts'
import type { Parking } from './input/parking.ts'
import type { OriginSessions } from './sessions/sessions.ts'
import { createOriginUpdates, type SharedWatch } from './streams/origin-updates.ts'
import { createVirtualRelay, type RelayTools } from './virtual-methods.ts'

export interface VirtualDoorOptions<State> extends HttpDoorOptions<State> {
  /** Ids for what Postern itself asks. */
  readonly requestIds: () => string
  /** Carries responses of clients, and log levels, between threads. */
  readonly events: Events
  /** Carries streams and waiting calls between threads. */
  readonly heldCalls: HeldCalls
  /** How all calls of this thread reach origins. */
  readonly access: OriginAccess
  /** At origins of an earlier era. */
  readonly sessions: OriginSessions
  /** The calls of this thread that wait for input of their clients. */
  readonly parking: Parking
  /** True for an origin whose credential is that of the caller. */
  readonly isPersonal: (origin: LinkedOrigin) => boolean
  /** Hears of resources of origins, for all threads. */
  readonly sharedWatch: SharedWatch
}

const BELOW = `${DOORS.belowConsumerMcp.path}/`

/** The door of one gateway thread. */
export function createVirtualDoor<State>(
  options: VirtualDoorOptions<State>,
): (incoming: Incoming<State>) => void {
  const { access } = options
  const questions = createClientQuestions(options.events)
  const updates = createOriginUpdates({ ...options, own: access.own })
  const tools: RelayTools = {
    ...options,
    ...access,
    listens: createListens(options.gateway, (error) => options.fault(error, '')),
    updates,
    progress: createProgress(options.clock),
    subscriptions: createSessionSubscriptions(options.events),
    questions,
    logLevels: createLogLevels(options.events),
    principalOf: ({ caller }) => identityOf(caller),
  }
  const serve = createEndpoints(options)
  const endpoints = new WeakMap<JoinedVirtualMcp, McpEndpoint<Sender>>()

  function endpointOf(open: JoinedVirtualMcp): McpEndpoint<Sender> {
    const known = endpoints.get(open)
    if (known !== undefined) return known
    const { id, slug, name } = open.virtualMcp.fragment
    const made = serve({
      name: `virtual_mcp:${id}`,
      info: { name: slug, title: name, version: options.version },
      relay: createVirtualRelay(open, tools, instructionsOf(open)),
    })
    endpoints.set(open, made)
    return made
  }

  return createHttpDoor(options, (incoming, caller) => {
    const open = options.gateway.virtualMcp(caller, incoming.path.slice(BELOW.length))
    return open === null ? null : endpointOf(open)
  })
}

function instructionsOf({ virtualMcp, members }: JoinedVirtualMcp): string {
  const { instructions } = virtualMcp.fragment
  if (instructions !== null) return instructions
  return [...members.values()].flatMap(({ instructions }) => instructions || []).join('\n\n')
}
