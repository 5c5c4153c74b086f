import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { client, faultOf, type Input, type OperationName, operation, useMay } from '../../api/client.ts'
import { titleOf } from '../../app/navigation.ts'
import { FaultBox, Forbidden, Page, SkeletonRows } from '../../kit/page.tsx'
import { Status, stateOf } from '../../kit/status.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'

interface RequestPageProps<T> {
  readonly resource: 'change_requests' | 'access_requests'
  readonly name: string
  readonly children: (request: T) => ReactNode
}

/** The page of one request: loads it, and shows its state. */
export function RequestPage<T extends { readonly id: string; readonly state: string }>({
  resource,
  name,
  children,
}: RequestPageProps<T>) {
  const { id = '' } = useParams({ strict: false })
  const may = useMay()
  const get = `${resource}.get` as OperationName
  const row = operation(get)!
  const query = useQuery({
    queryKey: [get, id],
    queryFn: async () => (await client.call(get, { id } as Input<OperationName>)).body as unknown as T,
    enabled: may(get),
    retry: false,
  })
  const request = query.data
  return (
    <Page
      name={name}
      title={
        <>
          {name}{' '}
          {request !== undefined && <Status state={stateOf(request.state) ?? 'ok'}>{request.state}</Status>}
        </>
      }
      lead={
        <>
          <Link to="/$resource" params={{ resource }} className="underline">
            {titleOf(resource)}
          </Link>{' '}
          / <code className="break-all">{id}</code>
        </>
      }
      actions={<ShowAs request={{ operation: row, input: { id }, options: {} }} />}
    >
      {!may(get) && <Forbidden permission={row.permission} />}
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {request === undefined && query.error === null && may(get) && <SkeletonRows rows={8} />}
      {request !== undefined && children(request)}
    </Page>
  )
}

/** Terms and their values, those without a value left out. */
export function Terms({ terms }: { terms: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="grid grid-cols-[max-content_1fr] gap-x-4 gap-y-1 max-sm:grid-cols-1">
      {terms
        .filter(([, value]) => value !== null && value !== undefined && value !== '')
        .map(([term, value]) => (
          <div key={term} className="contents">
            <dt className="text-muted">{term}</dt>
            <dd className="min-w-0 break-words">{value}</dd>
          </div>
        ))}
    </dl>
  )
}
