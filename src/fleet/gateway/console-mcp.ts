/**
 * Virtual MCPs for the tester of the console, at `/console/mcp/{slug}`. A message there becomes the same message at
 * `/mcp/{slug}`, with the same checks, counters and records, from the address of the person.
 *
 * 1. Only a page of the console is accepted. Its headers say so, and the main thread verifies its session for each message.
 * 2. The browser has no access token. The main thread returns the token with which the person of the session calls. A page
 *    may send the token of a profile instead; the token is then judged as at `/mcp/{slug}`.
 * 3. Cookies and Origin of the browser are not passed on.
 * 4. If the sender leaves before its session is verified, the message is dropped: nothing would release what it takes.
 */

import { DOORS } from '../../base/doors.ts'
import { bearerOf, CONSOLE_HEADER } from '../../base/http/fields.ts'
import { createOriginFor, isConsumerResource, isVirtualMcp, type Origins } from '../../base/http/origins.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import { AUTHORIZATION, COOKIE, ORIGIN } from '../../gateway/fields.ts'
import { fieldValue } from '../../gateway/header-lines.ts'
import { networkOf } from '../../snapshot/find/network.ts'
import { MovedRequest } from '../../wire/moved-request.ts'
import type { Incoming } from '../../wire/port.ts'
import type { ConsoleCallerClient } from './console-caller-client.ts'
import { consoleSessions, isOfConsolePage } from './console-session.ts'

const BELOW = DOORS.consoleMcp.path

export interface ConsoleMcpOptions<State> {
  readonly callers: Pick<ConsoleCallerClient, 'ask'>
  /** The door of `/mcp/{slug}`. */
  readonly virtual: (incoming: Incoming<State>) => void
  /** Where the console is reached. */
  readonly consoleOrigins: Origins
  /** Authority of the gateway, as its callers name it. */
  readonly host: string
  /** Address of the caller and id of the request. */
  readonly trace: (incoming: Incoming<State>) => { readonly ip: string; readonly requestId: string }
  readonly refuse: (incoming: Incoming<State>, code: RefusalCode, detail: string) => void
  readonly fault: (error: unknown) => void
}

export interface ConsoleMcp<State> {
  answer(incoming: Incoming<State>): void
  /** A request of this listener is over, whether it came here or not. */
  finished(incoming: Incoming<State>): void
}

export function createConsoleMcp<State>(options: ConsoleMcpOptions<State>): ConsoleMcp<State> {
  const { callers, virtual, host, refuse } = options
  const originFor = createOriginFor(options.consoleOrigins)
  /** Requests whose session is being proved. */
  const waiting = new Set<Incoming<State>>()

  async function handOn(incoming: Incoming<State>, resource: `/mcp${string}`): Promise<void> {
    const { ip, requestId } = options.trace(incoming)
    const brought = incoming.taken[AUTHORIZATION]
    waiting.add(incoming)
    const caller = await callers.ask(
      {
        sessions: consoleSessions(incoming, originFor(incoming.host).startsWith('https:')),
        resource: bearerOf(brought) === '' ? resource : null,
        ip,
        userAgent: fieldValue(incoming.pass, 'user-agent')?.slice(0, 512) ?? null,
        requestId,
      },
      networkOf(ip),
    )
    if (!waiting.delete(incoming)) return
    if (!caller.ok) return refuse(incoming, caller.code, caller.detail)
    const taken = [...incoming.taken]
    taken[AUTHORIZATION] = caller.token === null ? brought : `Bearer ${caller.token}`
    taken[COOKIE] = undefined
    taken[ORIGIN] = undefined
    virtual(new MovedRequest(incoming, { path: resource, host, taken }))
  }

  return {
    answer(incoming) {
      const resource = DOORS.consumerMcp.path + incoming.path.slice(BELOW.length)
      if (!isConsumerResource(resource) || !isVirtualMcp(resource))
        return refuse(incoming, 'not_found', `There is no virtual MCP at ${incoming.path}.`)
      if (!isOfConsolePage(incoming))
        return refuse(
          incoming,
          'credentials_missing',
          `Only the console calls this path: with ${CONSOLE_HEADER}: 1 and Sec-Fetch-Site: same-origin. Other programs call ${resource} of the gateway listener.`,
        )
      handOn(incoming, resource).catch((error: unknown) => {
        options.fault(error)
        refuse(incoming, 'internal_error', 'The message could not be handed on.')
      })
    },
    finished: (incoming) => void waiting.delete(incoming),
  }
}
