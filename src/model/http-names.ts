/**
 * Names of request headers that callers may not send on, lower case. Prefixes cover every name that begins with them. A name whose
 * characters besides letters and digits differ is the same name to many servers (CGI turns each into `_`): see `twinOf`.
 * The wire drops these headers when it reads the field section (`wire/native/field-section`).
 */
import { ALL_DOORS, outermost } from '../base/doors.ts'

/** Who calls, as the gateway reads it. */
export const IDENTITY_HEADERS = ['authorization', 'x-client-id', 'x-profile-id'] as const

/** They tell an upstream who or where the caller is; the gateway writes its own. */
export const FORWARDING_HEADERS = [
  'forwarded',
  'x-real-ip',
  'client-cert',
  'client-cert-chain',
  'x-request-id',
] as const
export const FORWARDING_PREFIXES = ['x-postern-', 'x-forwarded-', 'client-cert-'] as const

/** Framing and hop-by-hop names (RFC 9110 7.6.1). */
const FRAMING_HEADERS = [
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
] as const

/**
 * Headers by which an upstream may take another path, method, host, address or user than those that the gateway has judged.
 * They are removed unless a collection passes them on by name.
 */
export const OVERRIDE_HEADERS = [
  // Path
  'x-rewrite-url',
  'x-override-url',
  'x-proxy-url',
  'request-uri',
  'x-http-destinationurl',
  'x-http-path-override',
  // File that a server in front of the upstream is to send in the place of the answer
  'x-accel-mapping',
  'x-accel-redirect',
  'x-sendfile-type',
  // Method
  'x-method',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  // Host
  'x-host',
  'x-http-host-override',
  // Address
  'x-forwarded',
  'forwarded-for',
  'client-ip',
  'proxy-client-ip',
  'wl-proxy-client-ip',
  'true-client-ip',
  'x-true-client-ip',
  'cf-connecting-ip',
  'cf-connecting-ipv6',
  'fastly-client-ip',
  'fly-client-ip',
  'do-connecting-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-originating-ip',
  'x-proxyuser-ip',
  'x-azure-clientip',
  'x-azure-socketip',
  'x-nf-client-connection-ip',
  // User
  'x-arr-clientcert',
  'x-client-dn',
  'x-client-verify',
  'x-credential-identifier',
  'x-anonymous-consumer',
  'x-endpoint-api-userinfo',
  'x-apigateway-api-userinfo',
  // HTTP_PROXY of CGI programs
  'proxy',
] as const
export const OVERRIDE_PREFIXES = [
  // Path, method, host or address as another server has seen them
  'x-original-',
  'x-envoy-',
  'x-middleware-',
  'x-appengine-',
  // User
  'remote-',
  'x-remote-',
  'ssl-',
  'x-ssl-',
  'x-client-cert',
  'x-tls-client-',
  'x-auth-request-',
  'x-authenticated-',
  'x-authentik-',
  'x-consumer-',
  'x-pomerium-',
  'x-webauth-',
  'oidc-claim-',
  'tailscale-',
  'cf-access-',
  'x-amzn-oidc-',
  'x-amzn-mtls-',
  'x-goog-authenticated-user-',
  'x-goog-iap-',
  'x-ms-client-principal',
] as const

const OVERRIDES: ReadonlySet<string> = new Set(OVERRIDE_HEADERS)
const NEVER_PASSED: ReadonlySet<string> = new Set([
  ...IDENTITY_HEADERS,
  ...FORWARDING_HEADERS,
  ...FRAMING_HEADERS,
  'traceparent',
  'tracestate',
])

/** The name as servers read it that take every character besides letters and digits for the same. */
export function twinOf(lower: string): string {
  return lower.replace(/[^a-z0-9-]/g, '-')
}

/** True for a name that no collection can pass on, in any spelling. */
export function isNeverPassed(name: string): boolean {
  const twin = twinOf(name.toLowerCase())
  return NEVER_PASSED.has(twin) || FORWARDING_PREFIXES.some((prefix) => twin.startsWith(prefix))
}

/** True for a name that is removed unless a collection passes it on, in any spelling. */
export function isOverride(name: string): boolean {
  const twin = twinOf(name.toLowerCase())
  return OVERRIDES.has(twin) || OVERRIDE_PREFIXES.some((prefix) => twin.startsWith(prefix))
}

/** True for a name by which a server in front of the upstream may choose another host or path. */
export function isRouting(name: string): boolean {
  const twin = twinOf(name.toLowerCase())
  return isOverride(twin) || twin === 'forwarded' || twin.startsWith('x-forwarded-')
}

/**
 * True for a header that a call in process does not take from an agent: besides what no caller sends on, the one that encodes an
 * answer which must be read here, and those that speak of the MCP message.
 */
export function isOfMessage(name: string): boolean {
  const lower = name.toLowerCase()
  return isNeverPassed(lower) || lower === 'accept-encoding' || lower.startsWith('mcp-')
}

const PLACE = 'headers/'

/** The field under which the text of a secret header is sealed. */
export function headerField(name: string): string {
  return PLACE + name.toLowerCase()
}

/** True for a field of {@link headerField}. */
export function isHeaderField(field: string): boolean {
  return field.startsWith(PLACE)
}

/** Methods that routes may have; in the order in which they are shown. */
export const HTTP_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

/** One parameter in a segment of a path pattern. */
export const PATH_PARAMETER = /\{([A-Za-z_][A-Za-z0-9_.-]{0,63})\}/g

/** Names of the parameters of a valid pattern, in order. */
export function parameterNames(pattern: string): string[] {
  return [...pattern.matchAll(PATH_PARAMETER)].map((match) => match[1]!)
}

/** Paths that the gateway keeps for itself; no base path may be one of them or lie below one. */
export const RESERVED_PATHS = outermost(ALL_DOORS)

/** Reserved paths by their first letter: an ordinary path of a request is told apart without comparing it with each. */
const BY_LETTER: readonly (readonly string[])[] = Array.from({ length: 128 }, (_, code) =>
  RESERVED_PATHS.filter((path) => path.charCodeAt(1) === code),
)

/** True for a reserved path and everything below it. */
export function isReserved(path: string): boolean {
  const code = path.length < 2 ? 0 : path.charCodeAt(1)
  const candidates = code < 128 ? BY_LETTER[code]! : BY_LETTER[0]!
  for (let i = 0; i < candidates.length; i++) {
    const reserved = candidates[i]!
    if (
      path.startsWith(reserved) &&
      (path.length === reserved.length || path.charCodeAt(reserved.length) === 0x2f)
    )
      return true
  }
  return false
}
