/**
 * The checks by name: the number under which records keep them (`stopped_at`), and their meaning in a sentence for the
 * docs. The numbers stay because records of earlier versions have them. Records have the names too: one that is changed here
 * goes into `record/block.ts`. Apart from the rows themselves, so that readers of records load nothing else.
 */
export const CHECK_FACTS = {
  wire: { number: 1, about: 'The bytes are a valid request within the limits of the listener' },
  canonical: { number: 3, about: 'Path, host and identity headers are unambiguous' },
  route: {
    number: 4,
    about: 'A published collection has the path. The gateway responds to a preflight request of a browser',
  },
  identify: { number: 5, about: 'The request names one client and profile' },
  active: { number: 6, about: 'Client and profile are active and valid' },
  address: { number: 7, about: 'The address is in the allow list of the profile' },
  failures: { number: 8, about: 'The source does not have too many failed authentications' },
  authenticate: { number: 9, about: 'The credential authenticates the caller' },
  proof: { number: 9, about: 'The credential of the recorded caller is still valid' },
  'held-back route': { number: 10, about: 'A proxy has the path, and no server can read it as another path' },
  'same proxy': {
    number: 10,
    about: 'The path leads to the proxy of the recorded request, or of the capability of a virtual MCP',
  },
  assignment: { number: 11, about: 'Collection and endpoint are assigned to client and profile' },
  'path readings': {
    number: 11,
    about: 'No lenient server would read the path as an endpoint with different protection',
  },
  method: { number: 12, about: 'Proxy and profile allow the method' },
  upgrade: { number: 12, about: 'A request to a proxy of kind `websocket` asks for the upgrade' },
  'declared body': { number: 1, about: 'The declared body is no larger than the collection allows' },
  limits: { number: 13, about: 'The limits of all policies admit the request' },
  contract: { number: 14, about: 'Parameters, media type and body conform to the contract' },
  operation: { number: 14, about: 'The GraphQL operation is within the limits of the proxy' },
  guardrails: { number: 15, about: 'No guardrail blocks the content of the request' },
  'kept answer': {
    number: 16,
    about:
      'No response is stored in the response cache or for the same `Idempotency-Key`. If one is stored, the caller gets it',
  },
  workflow: {
    number: 17,
    about:
      'The whole body is read for the workflow of the proxy, which then responds instead of the checks below',
  },
  credential: { number: 17, about: 'The upstream is known, and its credential can be used' },
  gather: { number: 17, about: 'The whole body is read, if the proxy needs it' },
  target: { number: 17, about: 'A server of the upstream is available' },
  forward: { number: 17, about: 'The upstream has responded' },
  answer: {
    number: 18,
    about: 'No guardrail blocks the response, it conforms to the contract, and there is memory for it',
  },
} as const

/** Name of a check; empty for none. */
export type CheckName = keyof typeof CHECK_FACTS | ''

/** Every name, the empty one first. */
export const CHECK_NAMES: readonly CheckName[] = ['', ...(Object.keys(CHECK_FACTS) as CheckName[])]

/** The number of a check in records (`stopped_at`); -1 for none. */
export function checkNumber(name: CheckName): number {
  return name === '' ? -1 : CHECK_FACTS[name].number
}
