import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useId, useState } from 'react'
import { client, faultOf, type Output } from '../../api/client.ts'
import type { Search } from '../../app/search.ts'
import { Button, Labeled, Select, TextArea, TextInput } from '../../kit/controls.tsx'
import { Card, FaultBox, ProblemCode, SkeletonRows } from '../../kit/page.tsx'
import { Badge, type State, Status } from '../../kit/status.tsx'
import { addressOf } from '../../schema/value.ts'
import { type CallRecord, settingLinksOf } from './sentence.ts'
import { type Asked, inputOf, searchOf, startOf } from './why-input.ts'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
type Explanation = Output<'requests.explain'>

interface RequestFormProps {
  readonly search: Search
  readonly record: CallRecord | null
  /** What the form begins with where the address says nothing. */
  readonly first?: Search
  /** Parameters of the address that stay, such as the tab. */
  readonly kept?: Search
}

/** The request, to be changed and asked about again. */
export function RequestForm({ search, record, first = {}, kept = {} }: RequestFormProps) {
  const navigate = useNavigate()
  const id = useId()
  const [asked, setAsked] = useState<Asked>(() => startOf({ ...first, ...search }, record))
  const set = (name: keyof Asked, value: string): void => setAsked({ ...asked, [name]: value })
  const line = (name: keyof Asked, label: string, hint = '') => (
    <Labeled id={id + name} label={label} hint={hint}>
      <TextInput
        id={id + name}
        aria-describedby={hint === '' ? undefined : `${id + name}-hint`}
        value={asked[name]}
        onChange={(event) => set(name, event.target.value)}
      />
    </Labeled>
  )
  return (
    <Card title="Request">
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault()
          navigate({ to: '.', search: { ...kept, ...searchOf(asked, record) } as never }).catch(() => {})
        }}
      >
        <Labeled id={`${id}method`} label="Method">
          <Select
            id={`${id}method`}
            value={asked.method}
            onChange={(event) => set('method', event.target.value)}
          >
            <option value="">Choose a method</option>
            {METHODS.map((method) => (
              <option key={method}>{method}</option>
            ))}
          </Select>
        </Labeled>
        {line(
          'target',
          'Path and query',
          record === null ? '' : 'Records do not store the query. Add it if a check depends on it.',
        )}
        {line('client', 'Client', 'Treated as authenticated')}
        {line('profile', 'Profile')}
        {line('ip', 'Address')}
        {line('host', 'Host')}
        <Labeled
          id={`${id}headers`}
          label="Headers"
          hint="One per line. Without headers, checks that depend on them stay open."
        >
          <TextArea
            id={`${id}headers`}
            aria-describedby={`${id}headers-hint`}
            className="font-mono"
            value={asked.headers}
            onChange={(event) => set('headers', event.target.value)}
          />
        </Labeled>
        {line('body_bytes', 'Length of the body', 'Bytes')}
        <div className="flex justify-end">
          <Button type="submit" tone="primary">
            Ask
          </Button>
        </div>
      </form>
    </Card>
  )
}

const RESULTS: Readonly<Record<Explanation['checks'][number]['result'], { state: State; word: string }>> = {
  pass: { state: 'ok', word: 'passes' },
  refuse: { state: 'blocked', word: 'refuses' },
  answer: { state: 'ok', word: 'answers' },
  not_judged: { state: 'pending', word: 'open' },
  not_reached: { state: 'off', word: 'not reached' },
}
const OUTCOMES: Readonly<Record<Explanation['outcome'], State>> = {
  forwarded: 'ok',
  answered: 'ok',
  open: 'pending',
  refused: 'blocked',
}

interface AnswerProps {
  readonly search: Search
  /** Check that ended the recorded call. */
  readonly ended: string | null
  /** The proxy that is expected to be selected, as `collection:slug`. */
  readonly proxy?: string
}

/** What becomes of the request: the outcome, each check, the routes that match and what is forwarded. */
export function Answer({ search, ended, proxy }: AnswerProps) {
  const input = inputOf(search)
  const query = useQuery({
    queryKey: ['requests.explain', input],
    queryFn: async () => (await client.call('requests.explain', input)).body,
    placeholderData: keepPreviousData,
    staleTime: 0,
    retry: false,
  })
  if (query.error !== null)
    return <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />
  if (query.data === undefined) return <SkeletonRows rows={12} />
  const { outcome, summary, status, code, checks, candidates, forward, route } = query.data
  const selected =
    route === null ? null : addressOf('proxies', { collection: route.collection, slug: route.proxy })
  return (
    <div className="flex min-w-0 flex-col gap-4" aria-busy={query.isFetching}>
      <div role="status" className="flex flex-col gap-1 rounded-md border border-line p-3">
        <Status state={OUTCOMES[outcome]}>
          {status === null ? outcome : `${outcome} with ${status}${code === null ? '' : ` ${code}`}`}
        </Status>
        <p className="break-words">{summary}</p>
        {proxy !== undefined && selected !== proxy && (
          <Status state="warn" className="whitespace-normal">
            {selected === null
              ? 'No published route is selected, so not this proxy either.'
              : `Not this proxy: the route of ${selected} is selected.`}
          </Status>
        )}
        <Button isSmall className="self-start" onClick={() => void query.refetch()}>
          Ask again
        </Button>
      </div>
      <Card title="Checks, in order">
        <ol className="flex flex-col">
          {checks.map((check, index) => (
            <Check key={check.name + index} check={check} hasEnded={check.name === ended} />
          ))}
        </ol>
      </Card>
      {candidates.length > 0 && (
        <Card title="Routes that match the path">
          <ul className="flex flex-col gap-2">
            {candidates.map(({ collection, proxy, path, methods, wins, reason }, index) => (
              <li key={index} className="flex flex-wrap items-baseline gap-x-2 break-all">
                {wins && <Badge tone="accent">selected</Badge>}
                <Link
                  to="/$resource/$id"
                  params={
                    proxy === null
                      ? { resource: 'collections', id: collection }
                      : { resource: 'proxies', id: proxy.includes(':') ? proxy : `${collection}:${proxy}` }
                  }
                  className="underline"
                >
                  {proxy ?? collection}
                </Link>
                <code>
                  {methods.join(' ')} {path}
                </code>
                <span className="text-sm text-muted">{reason}</span>
              </li>
            ))}
          </ul>
        </Card>
      )}
      {forward !== null && (
        <Card title="Request to the upstream">
          <code className="break-all">
            {forward.method} {forward.upstream}
            {forward.path}
          </code>
          {forward.credential !== null && <p className="text-sm text-muted">with {forward.credential}</p>}
        </Card>
      )}
    </div>
  )
}

/** One check: its result, its reason, and a link to the field of each setting that decides it. */
function Check({ check, hasEnded }: { check: Explanation['checks'][number]; hasEnded: boolean }) {
  const { name, result, code, reason, setting } = check
  const { state, word } = RESULTS[result]
  const decides = result === 'refuse' || result === 'answer'
  return (
    <li className="grid grid-cols-[minmax(0,1fr)] gap-x-3 border-t border-line py-1.5 first:border-0 sm:grid-cols-[140px_110px_minmax(0,1fr)]">
      <span className={decides ? 'font-semibold' : ''}>{name}</span>
      <span>
        <Status state={state}>{word}</Status>
      </span>
      <span className="min-w-0 text-sm break-words">
        {hasEnded && <Badge tone="accent">ended the recorded call</Badge>}{' '}
        {code !== null && <ProblemCode code={code} />} {reason}
        {setting !== null && (
          <span className="block">
            {settingLinksOf(setting).map(({ text, resource, id, pointer }) =>
              resource === null ? (
                <span key={text}>{text} </span>
              ) : (
                <Link
                  key={text}
                  to="/$resource/$id"
                  params={{ resource, id }}
                  search={{ tab: 'edit' } as never}
                  hash={pointer}
                  className="mr-2 inline-flex min-h-6 items-center text-accent underline"
                >
                  {text}
                </Link>
              ),
            )}
          </span>
        )}
      </span>
    </li>
  )
}
