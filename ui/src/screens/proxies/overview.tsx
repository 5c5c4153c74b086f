import type { JsonObject } from '../../../build/document.ts'
import { faultOf } from '../../api/problem.ts'
import { useSession } from '../../api/session.ts'
import { useCall } from '../../api/use-call.ts'
import { CodeBlock } from '../../kit/copy.tsx'
import { Card } from '../../kit/page.tsx'
import { FaultBox } from '../../kit/states.tsx'
import { Status } from '../../kit/status.tsx'
import type { PartProps } from '../hand-made.ts'
import { Overview } from '../resources/overview.tsx'
import { publicUrl, targetOf } from './target.ts'

/** A proxy: the URL at which callers reach it, and its settings. */
export default function ProxyOverview(props: PartProps) {
  const { value } = props
  const { data: collection, error, refetch } = useCall('collections.get', { id: String(value['collection']) })
  return (
    <Overview {...props}>
      {error !== null && <FaultBox fault={faultOf(error)} retry={() => void refetch()} />}
      {collection !== undefined && (
        <PublicUrl
          collection={collection as unknown as JsonObject}
          proxy={value}
          isPublished={value['status'] === 'published' && collection.status === 'published'}
        />
      )}
    </Overview>
  )
}

interface PublicUrlProps {
  readonly collection: JsonObject
  /** A proxy of the collection. Default: the URL of the collection itself. */
  readonly proxy?: JsonObject
  readonly isPublished: boolean
}

/** The URL that callers use. */
export function PublicUrl({ collection, proxy, isPublished }: PublicUrlProps) {
  const gateway = useSession()?.instance.gateway_url ?? ''
  const base = String(collection['base_path'] ?? '')
  const target = proxy === undefined ? base : targetOf(proxy, base).target
  return (
    <Card title="Public URL">
      <CodeBlock label="Public URL" text={publicUrl(gateway, collection, target)} />
      {!isPublished && (
        <p className="mt-2">
          <Status state="draft">draft</Status> The gateway answers 404 here until{' '}
          {proxy === undefined ? 'the collection is' : 'the proxy and its collection are'} published.
        </p>
      )}
    </Card>
  )
}
