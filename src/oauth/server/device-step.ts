import type { Configuration } from 'oidc-provider'
import { DEVICE_DONE, deviceCodePage, deviceConfirmPage } from '../pages/device.ts'
import { answerPage, type EngineContext } from './visit.ts'

type DevicePages = Pick<
  NonNullable<NonNullable<Configuration['features']>['deviceFlow']>,
  'userCodeInputSource' | 'userCodeConfirmSource' | 'successSource'
>

/** The pages of a person who has been given a code by a device (RFC 8628 section 3.3). */
export const DEVICE_PAGES: DevicePages = {
  userCodeInputSource(context, _form, out) {
    const fault = out === undefined ? null : 'This code is not known, used or too old.'
    answerPage(context, deviceCodePage(deviceForm(context, codeOf(context)), fault))
  },
  userCodeConfirmSource(context, _form, client, _device, code) {
    const name = client.clientName ?? client.clientId
    answerPage(context, deviceConfirmPage(deviceForm(context, code), name))
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

function codeOf({ state }: EngineContext): string {
  const { code } = state as Record<string, unknown>
  return typeof code === 'string' ? code : ''
}

function deviceForm({ oidc }: EngineContext, code: string) {
  const { secret } = (oidc.session?.state ?? {}) as { secret?: string }
  return { action: '/oauth/device', xsrf: secret ?? '', code }
}
