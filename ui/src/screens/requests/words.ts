/** Sentences of change requests and access requests. */
import type { Output } from '../../api/client.ts'
import { singularOf } from '../../app/navigation.ts'

export type ChangeRequest = Output<'change_requests.get'>
export type AccessRequest = Output<'access_requests.get'>

type Asked = Pick<ChangeRequest, 'operation' | 'resource'>

/** The resource as commands name it: `orders:get-order`, or its id; null if the request is about none. */
function nameOf({ slug, parent, id }: Asked['resource']): string | null {
  if (slug === null) return id
  return parent === null ? slug : `${parent}:${slug}`
}

/** Where the resource has its page; null if it has none, as one that is not made yet. */
export function placeOf({ operation, resource }: Asked): { resource: string; id: string } | null {
  const [type = '', action = ''] = operation.split('.')
  const name = nameOf(resource)
  return name === null || resource.id === null || action === 'create' ? null : { resource: type, id: name }
}

/** `update the proxy orders:get-order` of the operation `proxies.update`. */
export function askedFor({ operation, resource }: Asked): string {
  const [type = '', action = ''] = operation.split('.')
  const name = nameOf(resource)
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
      return `${asked}. ${decider} approved it${config_revision === null ? '' : `, which created revision ${config_revision}`}.`
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
