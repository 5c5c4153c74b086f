import { isRouting } from '../model/header-names.ts'
import type { InjectedHeader } from '../model/injected-header.ts'

/** What of configured headers decides where a request, and the credential with it, ends up behind the server that it is sent to. */
export function routingHeaders(headers: readonly InjectedHeader[]): readonly InjectedHeader[] {
  return headers.filter(({ name }) => isRouting(name))
}
