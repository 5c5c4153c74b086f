import type { Plain } from '../../base/json/plain.ts'
import { toParameters } from '../../snapshot/find/target.ts'
import type { LinkedProxy } from '../../snapshot/linked/collection.ts'
import { keptIn } from '../contract/parsed-contracts.ts'
import type { Routed } from '../exchange.ts'
import { firstFieldValue } from '../header-lines.ts'
import { readRequestBody } from './body.ts'
import { toFieldObject } from './fields.ts'

const NOTHING = new Uint8Array(0)
/** What reads the parameters of the path, by proxy. */
const readers = new WeakMap<LinkedProxy, ReturnType<typeof toParameters>>()

/**
 * `request` of an http_trigger. Credentials of the caller are not among the headers. What costs something is read when an expression
 * first asks for it.
 * @param input stands in the place of the body; undefined for the body itself
 */
export function requestValues(exchange: Routed, input?: unknown): Plain {
  const { identity, method, path, ip, requestId, proxy, collection } = exchange
  return lazily(
    {
      method,
      path,
      ip,
      id: requestId,
      client: identity.client.fragment.slug,
      profile: identity.profile.fragment.slug,
      subject: identity.subject,
    },
    {
      path_params: () =>
        Object.fromEntries(
          keptIn(readers, proxy, () => toParameters(proxy.fragment.path, proxy.fragment.target_path))(
            path.slice(collection.fragment.base_path.length),
          )[0] ?? [],
        ),
      query: () => toQueryObject(exchange.query),
      headers: () => toFieldObject(exchange.pass),
      body() {
        if (input !== undefined) return input
        // Plans that look at it have it read before they run
        if (exchange.body === null && exchange.bodyBytes !== 0) throw new TypeError('the body was not read')
        return readRequestBody(exchange.body ?? NOTHING, firstFieldValue(exchange.pass, 'content-type') ?? '')
      },
      claims: () => Object.fromEntries(identity.claims),
    },
  )
}

/** An object with members that are made when they are first asked for. */
export function lazily(values: Plain, makers: Readonly<Record<string, () => unknown>>): Plain {
  const object: Plain = { ...values }
  for (const [name, make] of Object.entries(makers))
    Object.defineProperty(object, name, {
      enumerable: true,
      configurable: true,
      get() {
        const value = make()
        Object.defineProperty(object, name, { value, enumerable: true })
        return value
      },
    })
  return object
}

/** Parameters by name; a repeated one is a list. Takes time linear in the query. */
export function toQueryObject(query: string): Plain {
  const found = Object.create(null) as Record<string, string | string[]>
  for (const [name, value] of new URLSearchParams(query)) {
    const before = found[name]
    if (before === undefined) found[name] = value
    else if (typeof before === 'string') found[name] = [before, value]
    else before.push(value)
  }
  return found
}
