import { z } from 'zod'
import { isRefusedHost, isSecureUrl } from '../base/net/address.ts'
import { urlTextFault } from '../base/text/url.ts'
import { URL_FORMAT } from './annotations.ts'

/** A URL that is asked from here: https, or http on this machine; never a link-local or metadata address. */
export function secureUrl(example: string) {
  return z
    .string()
    .max(1024)
    .meta(URL_FORMAT)
    .refine((text) => faultOf(text, example) === null, {
      error: (issue) => faultOf(String(issue.input), example) ?? 'a URL',
    })
}

function faultOf(text: string, example: string): string | null {
  const url = URL.parse(text)
  if (url === null) return `a URL such as ${example}`
  const written = urlTextFault(text)
  if (written !== null) return written
  if (!isSecureUrl(url)) return 'an https URL; http is for this machine alone'
  if (url.username !== '' || url.password !== '' || url.hash !== '') return 'a URL without user or fragment'
  return isRefusedHost(url.hostname) ? 'a link-local or metadata address is never asked' : null
}
