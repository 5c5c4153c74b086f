import type { Clock } from '../../base/clock.ts'
import { type AwsSigner, signAws } from '../../base/crypto/aws-signature.ts'
import type { FetchJson } from '../../base/net/fetch-json.ts'
import type { CredentialStep, CredentialTest } from '../../model/api/credential.ts'
import { toCredentialTest } from '../../model/api/credential-facts.ts'
import type { CredentialFragment } from '../../snapshot/fragments.ts'
import { linkCredential } from '../../snapshot/link/credential.ts'
import type { LinkedTarget } from '../../snapshot/linked-types/collection.ts'
import type { ClientCertificate, Sent } from '../../snapshot/linked-types/credential.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import type { Opener } from '../../vault/vault.ts'
import type { CallResult } from '../../wire/port.ts'
import { canonicalTarget } from '../../wire/target.ts'
import { bareGet, type Pools } from './pools.ts'
import { fetchToken } from './tokens.ts'

/** A credential that is to be tried, in force or not; with a call where `at` says where. */
export interface Trial {
  readonly fragment: CredentialFragment
  /** Id of a published collection, and a path with query below that of its upstream. */
  readonly at: { readonly collection: string; readonly target: string } | null
  /** What is exchanged, where the credential does that. */
  readonly subjectToken: string | null
}

/** What a gateway thread tries it with. */
export interface TrialTools {
  readonly snapshot: Snapshot
  readonly open: Opener
  readonly pools: Pools
  readonly clock: Clock
  readonly fetchJson: FetchJson
}

const NOTHING = new Uint8Array(0)
/** A call that takes longer is given up. */
const CALL_MS = 15_000

/** Tries a credential as calls would use it: the same sockets, address rules and timeouts. Never rejects. */
export async function tryCredential(
  // What it was before must not make up for what it is
  { fragment: { previous: _previous, ...fragment }, at, subjectToken }: Trial,
  tools: TrialTools,
): Promise<CredentialTest> {
  const { clock, open, fetchJson } = tools
  const steps: CredentialStep[] = []
  /** Takes one step; undefined when it failed. */
  async function take<T>(
    step: CredentialStep['step'],
    work: () => Promise<T>,
    statusOf: (value: T) => number | null = () => null,
  ): Promise<T | undefined> {
    const startedAt = clock.monotonic()
    const taken = (members: Pick<CredentialStep, 'ok' | 'status' | 'error'>): void => {
      const latency_ms = Math.round((clock.monotonic() - startedAt) * 10) / 10
      steps.push({ step, latency_ms, ...members })
    }
    try {
      const value = await work()
      const status = statusOf(value)
      const error = refusalOf(status)
      taken({ ok: error === null, status, error })
      return error === null ? value : undefined
    } catch (error) {
      taken({ ok: false, status: null, error: error instanceof Error ? error.message : 'it failed' })
    }
  }

  const linked = await take('secret', async () => linkCredential(fragment, open))
  const more: Record<string, string> = subjectToken === null ? {} : { subject_token: subjectToken }
  let sent: Sent | undefined = linked
  const signing = linked?.signing ?? null
  const certificate = linked?.certificate ?? null
  if (linked != null && linked.grant !== null)
    sent = (await take('token', () => fetchToken(linked.grant!, more, clock, fetchJson)))?.sent
  if (sent !== undefined && at !== null) {
    const known = sent
    await take(
      'call',
      () => call(known, signing, certificate, at, tools),
      (result) => result,
    )
  }
  return toCredentialTest(steps)
}

/** Why an answer means that the credential does not work; null where it may. */
function refusalOf(status: number | null): string | null {
  if (status === 401 || status === 403) return `the upstream refused it (${status})`
  return status !== null && status >= 500 ? `the upstream answered ${status}` : null
}

function call(
  sent: Sent,
  signing: AwsSigner | null,
  certificate: ClientCertificate | null,
  at: NonNullable<Trial['at']>,
  { snapshot, pools, clock }: TrialTools,
): Promise<number> {
  const upstream = snapshot.collections.get(at.collection)?.upstream ?? null
  if (upstream === null) throw new Error('the collection is not published, or has no upstream')
  const server = upstream.targets[0]!
  if (certificate !== null && server.fragment.scheme !== 'https') throw new Error('the upstream is not https')
  const target = targetOf(server, at.target, sent)
  const asked = bareGet(server, target, `${sent.line}Accept: */*\r\n`)
  const signature =
    signing === null
      ? ''
      : signAws(signing, { ...asked, body: signing.signsPayload ? NOTHING : null }, clock.now())
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      handle.abort()
      reject(new Error(`no answer in ${CALL_MS / 1000} s`))
    }, CALL_MS)
    const handle = pools
      .of(server, certificate)
      .call({ ...asked, fields: asked.fields + signature }, (result: CallResult) => {
        clearTimeout(timer)
        if (result.ok) resolve(result.status)
        else reject(new Error(`the upstream cannot be reached (${result.failure}: ${result.inner})`))
      })
  })
}

function targetOf({ fragment }: LinkedTarget, asked: string, { pair }: Sent): string {
  const canonical = canonicalTarget(asked)
  if (canonical === null) throw new Error('the path is not canonical')
  const query = [canonical.query, pair].filter((part) => part !== '').join('&')
  return fragment.path + canonical.path + (query === '' ? '' : `?${query}`)
}
