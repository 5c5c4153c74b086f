/**
 * The pages between an authorization request and its response: sign-in, then consent. An interaction belongs to the browser
 * that has its cookie, and a form to its page.
 */
import { timingSafeEqual } from 'node:crypto'
import { isAtOrBelow } from '../../base/doors.ts'
import { UNSTORABLE } from '../../base/json/storable.ts'
import { errorPage } from '../pages/error.ts'
import { CALLBACK_PATH } from '../sign-in/port.ts'
import type { Asker } from './audit.ts'
import { readText, unstorableField } from './body.ts'
import { type ConsentStepParts, createConsentStep } from './consent-step.ts'
import { createSignInStep, type SignInStepParts } from './sign-in-step.ts'
import { finish, INTERACTION, type Interaction, interactionOf, show, type Visit } from './visit.ts'

export interface InteractionParts extends SignInStepParts, ConsentStepParts {
  readonly issuer: string
  /** Told of a refusal to someone unknown. */
  readonly refused: (asker: Asker, reason: string) => void
}

export interface Interactions {
  /** Answers `/oauth/interaction/…` and the callbacks of identity providers. */
  answer(visit: Visit): Promise<void>
}

const FOREIGN_FORM = 'the form is of another site or browser'
const DECLINED = { error: 'access_denied', error_description: 'The user did not allow it.' }

/**
 * The pages between a request for authorization and its answer: signing in, then consent. Each belongs to the browser
 * that holds the cookie of the interaction, and each form to its page.
 */
export function createInteractions(parts: InteractionParts): Interactions {
  const signIn = createSignInStep(parts)
  const consent = createConsentStep(parts)

  async function noteForeignForm(visit: Visit, interaction: Interaction): Promise<void> {
    if (interaction.prompt.name === 'consent') return consent.noteDenial(visit, interaction, FOREIGN_FORM)
    parts.refused(visit.asker, `sign-in: ${FOREIGN_FORM}`)
  }

  async function submit(visit: Visit, interaction: Interaction): Promise<void> {
    const form = new URLSearchParams((await readText(visit.request)) ?? '')
    const fault = unstorableField(form)
    if (fault !== null)
      return show(visit, 400, errorPage('invalid_request', `The field ${fault} ${UNSTORABLE}.`))
    if (!isEqual(form.get('csrf') ?? '', parts.sealed.sign(interaction.uid))) {
      await noteForeignForm(visit, interaction)
      return show(visit, 403, errorPage('access_denied', 'The form is not of this page.'))
    }
    const { name } = interaction.prompt
    const choice = form.get('do')
    if (name === 'login' && choice === 'password') return signIn.submit(visit, interaction, form)
    if (name === 'consent' && choice === 'allow') return consent.allow(visit, interaction, form)
    if (name === 'consent' && choice === 'leave') return consent.leave(visit, interaction)
    if (name === 'consent') await consent.noteDenial(visit, interaction)
    return finish(visit, interaction, DECLINED)
  }

  return {
    async answer(visit) {
      const url = new URL(visit.request.url ?? '/', parts.issuer)
      if (isAtOrBelow(url.pathname, CALLBACK_PATH)) return signIn.comeBack(visit, url)
      const [uid = '', step = '', slug = null] = url.pathname.slice(INTERACTION.length).split('/')
      const interaction = await interactionOf(visit, uid)
      if (interaction === null) {
        parts.refused(visit.asker, 'sign-in: a page that has expired, or of another browser')
        const text = 'This page has expired, or belongs to another browser.'
        return show(visit, 400, errorPage('session_not_found', text))
      }
      const { method } = visit.request
      if (method === 'POST' && step === '') return submit(visit, interaction)
      if (method !== 'GET')
        return show(visit, 405, errorPage('invalid_request', 'This page cannot be used so.'))
      if (interaction.prompt.name !== 'login') return consent.ask(visit, interaction)
      const ticket = url.searchParams.get('arrival')
      if (ticket !== null) return signIn.arrive(visit, interaction, ticket)
      if (step === '' && (await signIn.arriveFromSetUp(visit, interaction))) return
      return step === 'provider'
        ? signIn.leave(visit, interaction, slug)
        : signIn.ask(visit, interaction, null)
    },
  }
}

function isEqual(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)]
  return one.length === other.length && timingSafeEqual(one, other)
}
