import { isPlain, type Plain, pointerTo } from '../../base/json/plain.ts'
import { withoutEndSlashes } from '../../base/text/url.ts'
import { UpstreamUrl } from '../../model/api/upstream.ts'
import { broken } from '../text/plain-data.ts'
import type { Warn } from './warnings.ts'

/** Where an operation is served: origin such as `https://api.example.com`, null when relative; path without a trailing slash. */
export interface Server {
  readonly origin: string | null
  readonly path: string
  readonly pointer: string
}

/** Any absolute base, to read relative server URLs against. */
const NOWHERE = 'http://relative.invalid'

/**
 * The first server of a document, path item or operation, or undefined when it names none. Variables take their
 * defaults. A URL that cannot be used counts as relative and is reported.
 */
export function firstServer(owner: Plain, pointer: string, warn: Warn): Server | undefined {
  const list = owner['servers']
  if (list === undefined || list === null) return undefined
  const place = pointerTo(pointer, 'servers')
  if (!Array.isArray(list)) throw broken(place, 'a list of servers')
  if (list.length === 0) return undefined
  const server: unknown = list[0]
  const first = pointerTo(place, 0)
  if (!isPlain(server)) throw broken(first, 'a server is an object')
  const url = server['url']
  if (typeof url !== 'string') throw broken(pointerTo(first, 'url'), 'a server has a url')
  return serverOf(withDefaults(url, server['variables'], first, warn), pointerTo(first, 'url'), warn)
}

function withDefaults(url: string, variables: unknown, pointer: string, warn: Warn): string {
  return url.replace(/\{([^{}]*)\}/g, (text, name: string) => {
    const variable = isPlain(variables) && Object.hasOwn(variables, name) ? variables[name] : undefined
    const value = isPlain(variable) ? variable['default'] : undefined
    if (typeof value === 'string' || typeof value === 'number') return String(value)
    warn(pointerTo(pointer, 'url'), `variable ${text.slice(0, 80)} has no default`)
    return ''
  })
}

function serverOf(text: string, pointer: string, warn: Warn): Server {
  // A scheme-relative URL (`//host/v1`) leaves the scheme to whoever served the document: that is relative too.
  const absolute = /^[a-z][a-z0-9+.-]*:/i.test(text)
  if (!URL.canParse(text.trim(), NOWHERE)) {
    warn(pointer, 'not a URL; give the upstream yourself')
    return { origin: null, path: '', pointer }
  }
  const url = new URL(text.trim(), NOWHERE)
  if (url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '')
    warn(pointer, 'query, fragment and user information of the server URL are left out')
  const path = withoutEndSlashes(url.pathname)
  if (!absolute) return { origin: null, path, pointer }
  const origin = `${url.protocol}//${url.host}`
  if (UpstreamUrl.safeParse(origin).success) return { origin, path, pointer }
  warn(pointer, 'not an http:// or https:// URL; give the upstream yourself')
  return { origin: null, path: '', pointer }
}

/**
 * The longest path, in whole segments, that all server paths start with. It goes into the upstream; what an
 * operation's server has beyond it goes into the target path of its proxies.
 */
export function commonPath(paths: readonly string[]): string {
  let common: string[] | undefined
  for (const path of new Set(paths)) {
    const segments = path.split('/').slice(1)
    common ??= segments
    let same = 0
    while (same < common.length && common[same] === segments[same]) same++
    common = common.slice(0, same)
  }
  return common === undefined || common.length === 0 ? '' : `/${common.join('/')}`
}
