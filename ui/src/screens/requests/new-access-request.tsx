import { Create } from '../resources/create.tsx'

/** A path of its own: the page of one request would take `new` for an id. */
export default function NewAccessRequest() {
  return <Create resource="access_requests" />
}
