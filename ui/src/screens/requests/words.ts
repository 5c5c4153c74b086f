/** Sentences of change requests and access requests. */
import type { Output } from '../../api/client.ts'
import { singularOf } from '../../app/navigation.ts'

export type ChangeRequest = Output<'change_requests.get'>
export type AccessRequest = Output<'access_requests.get'>

/** `update the proxy get-order` of the operation `proxies.update`. */
export function askedFor({ operation, resource }: Pick<ChangeRequest, 'operation' | 'resource'>): string {
  const [type = '', action = ''] = operation.split('.')
  const name = resource.slug ?? resource.id
  const verb = action.replaceAll('_', ' ')
  return name === null ? `${verb} ${type.replaceAll('_', ' ')}` : `${verb} the ${singularOf(type)} ${name}`
}

/** What a change request is, and where it stands. */
export function changeSentence(request: ChangeRequest): string {
  const { state, requester, decided_by, config_revision } = request
  const asked = `${requester.name} asked to ${askedFor(request)}`
  const decider = decided_by?.name ?? 'another person'
  switch (state) {
    case 'open':
      return `${asked}. Nothing has changed yet.`
    case 'approved':
      return `${asked}. ${decider} approved it. The change runs when ${requester.name} repeats the call.`
    case 'applied':
      return `${asked}. ${decider} approved it${config_revision === null ? '' : `, which made revision ${config_revision}`}.`
    case 'rejected':
      return decided_by?.id === requester.id
        ? `${asked} and withdrew the request.`
        : `${asked}. ${decider} rejected it.`
    case 'expired':
      return `${asked}. The request expired before a decision.`
  }
}

export function accessSentence(request: AccessRequest): string {
  const { state, requester, client, collections, decided_by } = request
  const asked = `${requester} asked for access of the client ${client} to ${collections.join(', ')}`
  switch (state) {
    case 'open':
      return `${asked}. The client cannot call ${collections.length === 1 ? 'it' : 'them'} through this request yet.`
    case 'applied':
      return `${asked}. ${decided_by ?? 'Another person'} approved it.`
    case 'rejected':
      return decided_by === requester
        ? `${asked} and withdrew the request.`
        : `${asked}. ${decided_by ?? 'Another person'} rejected it.`
    case 'expired':
      return `${asked}. The request expired before a decision.`
  }
}
