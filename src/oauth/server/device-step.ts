/** The pages of a person who enters the code of a device (RFC 8628 section 3.3). */
import type { Configuration } from 'oidc-provider'
import { DEVICE_DONE, deviceCodePage, deviceConfirmPage } from '../pages/device.ts'
import { errorPage } from '../pages/error.ts'
import { shownClient } from './clients.ts'
import { answerPage, type EngineContext } from './visit.ts'

type DevicePages = Pick<
  NonNullable<NonNullable<Configuration['features']>['deviceFlow']>,
  'userCodeInputSource' | 'userCodeConfirmSource' | 'successSource'
>

/** The pages of a person who has been given a code by a device (RFC 8628 section 3.3). */
export const DEVICE_PAGES: DevicePages = {
  userCodeInputSource(context, _form, out) {
    if (out !== undefined && forgetNewSession(context)) return answerPage(context, UNKNOWN_SESSION)
    const fault = out === undefined ? null : 'This code is not known, used or too old.'
    answerPage(context, deviceCodePage(deviceForm(context, codeOf(context)), fault))
  },
  userCodeConfirmSource(context, _form, client, _device, code) {
    const { id, name } = shownClient(client.clientId, client.clientName)
    answerPage(context, deviceConfirmPage(deviceForm(context, code), name ?? id))
  },
  successSource: (context) => answerPage(context, DEVICE_DONE),
}

/** Has a code in a link shown, where the engine would have a script send it on. */
export function takeCode(context: Pick<EngineContext, 'query' | 'state'>): void {
  const { user_code: code, ...rest } = context.query
  if (code === undefined) return
  context.state['code'] = code
  context.query = rest
}

const UNKNOWN_SESSION = errorPage(
  'session_not_found',
  'This page has expired, or this browser keeps no cookies. Open the address that your device shows once more.',
)

/**
 * True for a form that came without the session of its page. The engine has put a secret for a new form into a session
 * that it never stored, and would fail to store it now.
 */
function forgetNewSession({ oidc }: EngineContext): boolean {
  // Members that the engine's types do not name.
  const session = oidc.session as { exp?: number; touched?: boolean } | undefined
  if (session === undefined || session.exp !== undefined) return false
  session.touched = false
  return true
}

function codeOf({ state }: EngineContext): string {
  // As takeCode left it.
  const { code } = state as Record<string, unknown>
  return typeof code === 'string' ? code : ''
}

function deviceForm({ oidc }: EngineContext, code: string) {
  // The engine keeps the secret of its form there, and has no type for it.
  const { secret } = (oidc.session?.state ?? {}) as { secret?: string }
  return { action: '/oauth/device', xsrf: secret ?? '', code }
}
