import assert from 'node:assert/strict'
import { createClock } from '../../src/base/clock.ts'
import { createRequestIds } from '../../src/base/ids.ts'
import type { Exchange } from '../../src/gateway/exchange.ts'
import type { Gateway } from '../../src/gateway/gateway.ts'
import { FIELD_RULES } from '../../src/gateway/request-headers.ts'
import { createRunningCalls } from '../../src/mcp/http/message.ts'
import { createOriginAccess } from '../../src/mcp/virtual/call/argument-headers.ts'
import { createVirtualDoor, type VirtualDoorOptions } from '../../src/mcp/virtual/door.ts'
import { createThreadHeldCalls } from '../../src/shared-state/memory/held-calls.ts'
import { createThreadEvents } from '../../src/shared-state/memory/shared-cells.ts'
import type { Fragment } from '../../src/snapshot/fragments.ts'
import { originSessions } from '../support/origin-sessions.ts'
import { parkingOf } from '../support/parking.ts'
import { createSessionMemory } from '../support/session-memory.ts'
import { type Answer, type Served, type ServeOptions, serve } from './serve.ts'

/** What a test may set of the door. */
type DoorParts = Pick<VirtualDoorOptions<Exchange>, 'sharedWatch' | 'sessions' | 'parking'> & {
  readonly stale?: (origin: string) => void
}

/**
 * A gateway of one thread with the door of virtual MCPs.
 * @param partsFor makes sessions at origins and the watch of their resources, once
 */
export async function serveVirtualMcps(
  fragments: (port: number) => readonly Fragment[],
  options: Omit<ServeOptions, 'reserved'> = {},
  partsFor: (gateway: Gateway) => DoorParts = (gateway) => ({
    sharedWatch: { want() {}, onUpdated() {} },
    sessions: originSessions(gateway),
    parking: parkingOf(gateway),
  }),
): Promise<Served> {
  const events = createThreadEvents(() => {})
  let door: ReturnType<typeof createVirtualDoor<Exchange>> | null = null
  const doorOf = (gateway: Gateway, exchange: Exchange): ReturnType<typeof createVirtualDoor<Exchange>> => {
    const { stale = () => {}, ...parts } = partsFor(gateway)
    return createVirtualDoor<Exchange>({
      gateway,
      sealKey: new Uint8Array(32).fill(7),
      ...createSessionMemory(),
      running: createRunningCalls(events),
      events,
      heldCalls: createThreadHeldCalls({ slot: 0, send: () => assert.fail() }),
      requestIds: createRequestIds(createClock()),
      origin: `http://localhost:${served.port}`,
      allowsOrigin: (origin) => /^http:\/\/localhost(:\d+)?$/.test(origin),
      corsLines: () => '',
      version: '0.0.0',
      clock: createClock(),
      requestId: (one) => (one.state ?? exchange).requestId,
      taken: [...FIELD_RULES.take, ...FIELD_RULES.peek],
      fault: (error) => assert.fail(String(error)),
      isPersonal: gateway.isPersonal,
      access: createOriginAccess({
        gateway,
        events,
        own: { name: 'postern', version: '0.0.0' },
        clock: createClock(),
        isPersonal: gateway.isPersonal,
        stale,
      }),
      ...parts,
    })
  }
  const served: Served = await serve(fragments, {
    ...options,
    reserved(incoming, exchange, gateway) {
      door ??= doorOf(gateway, exchange)
      door(incoming)
    },
  })
  return served
}

/** The JSON-RPC response to one message. */
export interface RpcAnswer {
  readonly answer: Answer
  // A response has the members that its method says
  // biome-ignore lint/suspicious/noExplicitAny: read by assertions alone
  readonly result?: any
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown }
}

/** Sends one message of 2026-07-28. */
export async function rpc(
  served: Served,
  slug: string,
  bearer: string,
  method: string,
  params: Readonly<Record<string, unknown>> = {},
): Promise<RpcAnswer> {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'tester', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const name = params['name'] ?? params['uri']
  const answer = await served.ask(`/mcp/${slug}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${bearer}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(name === undefined ? {} : { 'mcp-name': String(name) }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 7, method, params: { ...params, _meta } }),
  })
  const { result, error } = JSON.parse(answer.text) as Omit<RpcAnswer, 'answer'>
  return { answer, result, ...(error === undefined ? {} : { error }) }
}
