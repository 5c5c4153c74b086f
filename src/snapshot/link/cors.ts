import { HTTP_METHODS } from '../../model/http-names.ts'
import type { CorsFragment } from '../fragments.ts'
import type { LinkedCors } from '../linked/collection.ts'
import { lineOf } from './header-line.ts'

/** Links cross-origin rules. Throws a RangeError where a name could end its line. */
export function linkCors(fragment: CorsFragment): LinkedCors {
  const { origins, headers, expose, credentials } = fragment
  const any = origins.includes('*')
  if (any && credentials) throw new RangeError('credentials are never allowed to every origin')
  const methods = fragment.methods.length === 0 ? HTTP_METHODS : fragment.methods
  const withCredentials = credentials ? 'Access-Control-Allow-Credentials: true\r\n' : ''
  return {
    any,
    origins: new Set(origins),
    below: origins
      .filter((origin) => origin.includes('://*.'))
      .map((origin) => [origin.slice(0, origin.indexOf('*')), origin.slice(origin.indexOf('*') + 1)]),
    preflight:
      withCredentials +
      lineOf('Access-Control-Allow-Methods', methods.join(', ')) +
      (headers.length === 0 ? '' : lineOf('Access-Control-Allow-Headers', headers.join(', '))) +
      lineOf('Access-Control-Max-Age', String(fragment.max_age_s)),
    lines:
      withCredentials +
      (expose.length === 0 ? '' : lineOf('Access-Control-Expose-Headers', expose.join(', '))),
  }
}
