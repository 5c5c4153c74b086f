/** One request of a browser at a page of the authorization server, and the interaction to which it belongs. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Configuration, Provider } from 'oidc-provider'
import { formActionOf, type Page, pageHeaders, pageText } from '../../base/http/page.ts'
import type { Asker } from './audit.ts'
import { type ShownClient, shownClient } from './clients.ts'
import type { ClientDocuments } from './documents.ts'
import type { Sealed } from './sealed.ts'

export const INTERACTION = '/oauth/interaction/'
/** Pages on which people connect their accounts at origins. */
export const CONNECT = '/connect'

export type Interaction = Awaited<ReturnType<Provider['interactionDetails']>>

/** One request, as the engine hands it to what it was set up with. */
export type EngineContext = Parameters<NonNullable<Configuration['findAccount']>>[0]

/** One request of a browser at a page. */
export interface Visit {
  readonly provider: Provider
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly asker: Asker
}

/** The interaction, where the browser has its cookie; the cookie alone says which one it is. */
export async function interactionOf(
  { provider, request, response }: Visit,
  uid: string,
): Promise<Interaction | null> {
  try {
    const interaction = await provider.interactionDetails(request, response)
    return interaction.uid === uid ? interaction : null
  } catch (error) {
    if (error instanceof Error && error.name === 'SessionNotFound') return null
    throw error
  }
}

/** What the pages of an interaction have in common. */
export interface Asked {
  readonly client: ShownClient
  /** Null for a device, which gets no redirect. */
  readonly redirectUri: string | null
  readonly form: {
    readonly path: string
    readonly csrf: string
    readonly formAction: string | undefined
  }
}

export interface AskedParts {
  readonly sealed: Sealed
  readonly documents: Pick<ClientDocuments, 'nameOf'>
}

/** Who asks in an interaction, and the form by which the person answers. */
export async function askedOf(
  { provider }: Visit,
  { uid, params }: Interaction,
  { sealed, documents }: AskedParts,
): Promise<Asked> {
  const client = await provider.Client.find(String(params['client_id']))
  const id = client?.clientId ?? ''
  const redirectUri = typeof params['redirect_uri'] === 'string' ? params['redirect_uri'] : null
  return {
    client: shownClient(id, client?.clientName, documents.nameOf(id)),
    redirectUri,
    form: {
      path: INTERACTION + uid,
      csrf: sealed.sign(uid),
      formAction: redirectUri === null ? undefined : formActionOf(redirectUri),
    },
  }
}

/** Gives the engine what came of a step, beside what came of those before, and sends the browser on. */
export async function finish(
  visit: Visit,
  interaction: Interaction,
  result: NonNullable<Interaction['result']>,
): Promise<void> {
  const { lastSubmission } = interaction
  interaction.result = 'error' in result ? result : { ...lastSubmission, ...result }
  await interaction.persist()
  redirect(visit, interaction.returnTo)
}

export function redirect({ response }: Visit, location: string): void {
  response.writeHead(303, { location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' })
  response.end()
}

export function show({ response }: Visit, status: number, page: Page): void {
  response.writeHead(status, pageHeaders(page))
  response.end(pageText(page))
}

/** As {@link show}, where the engine has the request. */
export function answerPage(context: Pick<EngineContext, 'set' | 'body'>, page: Page): void {
  context.set(pageHeaders(page))
  context.body = pageText(page)
}
