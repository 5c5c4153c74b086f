import { useSearch } from '@tanstack/react-router'
import { faultOf, operation, useCall } from '../../api/client.ts'
import type { Search } from '../../app/search.ts'
import { FaultBox, SkeletonRows } from '../../kit/page.tsx'
import { Status } from '../../kit/status.tsx'
import { addressOf } from '../../schema/value.ts'
import { ShowAs } from '../../show-as/show-as.tsx'
import type { PartProps } from '../hand-made.ts'
import { Answer, RequestForm } from '../records/explanation.tsx'
import { inputOf, isWhole } from '../records/why-input.ts'
import { targetOf } from './target.ts'

const KEPT: Search = { tab: 'path' }

/** Whether a request reaches this proxy, and what the gateway does with it. The address holds the request. */
export default function PathPart({ value }: PartProps) {
  const search = useSearch({ strict: false }) as Search
  const collection = useCall('collections.get', { id: String(value['collection']) })
  if (collection.isLoading) return <SkeletonRows rows={8} />
  const first = targetOf(value, collection.data?.base_path ?? '')
  return (
    <div className="flex flex-col gap-4">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <p className="text-muted">
          Postern runs all checks with the current configuration. It counts, sends and records nothing.
        </p>
        <ShowAs
          request={{ operation: operation('requests.explain')!, input: inputOf(search), options: {} }}
        />
      </div>
      {collection.error !== null && (
        <FaultBox fault={faultOf(collection.error)} retry={() => void collection.refetch()} />
      )}
      {value['status'] === 'draft' && (
        <Status state="draft" className="whitespace-normal">
          Drafts cannot be called. Publish the proxy first.
        </Status>
      )}
      <div className="grid items-start gap-4 grid-cols-1 lg:grid-cols-[360px_minmax(0,1fr)]">
        <RequestForm key={JSON.stringify(search)} search={search} record={null} first={first} kept={KEPT} />
        {isWhole(search) ? (
          <Answer search={search} ended={null} proxy={addressOf('proxies', value)} />
        ) : (
          <p className="text-muted">Replace the path parameters with values to see the result.</p>
        )}
      </div>
    </div>
  )
}
