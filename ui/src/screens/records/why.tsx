import { useQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { client, faultOf, operation, useMay } from '../../api/client.ts'
import { one, type Search } from '../../app/search.ts'
import { FaultBox, Forbidden, Page, SkeletonRows } from '../../kit/page.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'
import { Answer, RequestForm } from './explanation.tsx'
import { sentenceOf } from './sentence.ts'
import { inputOf, isWhole } from './why-input.ts'

const TITLE = 'Explain a request'

/** What the gateway does with a request with the current configuration, check by check. The address holds the request. */
export default function Why() {
  const search = useSearch({ strict: false }) as Search
  const may = useMay()
  const row = operation('requests.explain')!
  const id = one(search['request_id']) ?? null
  const recorded = useQuery({
    queryKey: ['records.get', id],
    queryFn: async () => (await client.call('records.get', { id: id! })).body,
    staleTime: Number.POSITIVE_INFINITY,
    enabled: id !== null && may('records.get'),
    retry: false,
  })
  if (!may('requests.explain'))
    return (
      <Page name={TITLE} title={TITLE}>
        <Forbidden permission={row.permission} />
      </Page>
    )
  const record = recorded.data ?? null
  const isLoading = id !== null && record === null && recorded.error === null
  return (
    <Page
      name={TITLE}
      title={id === null ? TITLE : 'Why this answer'}
      lead="Postern runs all checks with the current configuration. It counts, sends and records nothing."
      actions={<ShowAs request={{ operation: row, input: inputOf(search), options: {} }} />}
    >
      {recorded.error !== null && (
        <FaultBox fault={faultOf(recorded.error)} retry={() => void recorded.refetch()} />
      )}
      {record !== null && (
        <p className="break-words">
          <Link
            to="/$resource/$id"
            params={{ resource: 'records', id: record.id }}
            className="text-accent underline"
          >
            The record
          </Link>
          : {sentenceOf(record)}
        </p>
      )}
      {isLoading ? (
        <SkeletonRows rows={8} />
      ) : (
        <div className="grid items-start gap-4 grid-cols-1 lg:grid-cols-[360px_minmax(0,1fr)]">
          <div className="max-lg:order-2">
            <RequestForm key={JSON.stringify(search)} search={search} record={record} />
          </div>
          {isWhole(search) ? (
            <Answer search={search} ended={record?.check ?? null} />
          ) : (
            <p className="text-muted">Enter a method and a path to see the result.</p>
          )}
        </div>
      )}
    </Page>
  )
}
