import type { JsonObject } from '../../../build/document.ts'
import { faultOf, useCall } from '../../api/client.ts'
import { FaultBox } from '../../kit/page.tsx'
import { PublicUrl } from '../collections/overview.tsx'
import type { PartProps } from '../hand-made.ts'
import { Overview } from '../resources/overview.tsx'

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
