import { Link } from '@tanstack/react-router'
import { KeyRound, Plus, RefreshCw } from 'lucide-react'
import type { ReactNode } from 'react'
import type { JsonObject } from '../../../build/document.ts'
import { faultOf, useCall, useMay } from '../../api/client.ts'
import { RunButton } from '../../forms/operation-form.tsx'
import { buttonClasses } from '../../kit/controls.tsx'
import { Card, FaultBox, SkeletonRows } from '../../kit/page.tsx'
import { CodeBlock, Time } from '../../kit/text.tsx'
import type { PartProps } from '../hand-made.ts'
import { grantSentence } from '../people/access.ts'
import { ActiveState, Facts, Overview, ResourceLink } from '../resources/overview.tsx'

/** Grants and trust rules that are shown. */
const SHOWN_MAX = 50

/** A service identity: how it proves itself, and what it may do. */
export default function ServiceIdentityOverview(props: PartProps) {
  const { slug, value, schemas } = props
  const may = useMay()
  const issued = value['secret_issued_at']
  const keys = Array.isArray(value['keys']) ? value['keys'].length : 0
  const hasSecret = typeof issued === 'string'
  return (
    <Overview {...props} without={['active', 'keys', 'secret_issued_at']}>
      <Card
        title="How it signs in"
        actions={
          <RunButton
            name="service_identities.issue_secret"
            label={hasSecret ? 'Issue a new secret' : 'Issue a secret'}
            icon={hasSecret ? RefreshCw : KeyRound}
            schemas={schemas}
            value={value}
            slug={slug}
          />
        }
      >
        <Facts
          facts={[
            ['State', <ActiveState key="" active={value['active']} />],
            ['Client ID', <CodeBlock key="" label="Client ID" text={slug} />],
            [
              'Client secret',
              hasSecret ? (
                <>
                  Issued <Time value={issued} />. Issuing a new secret revokes this one at once.
                </>
              ) : (
                'None'
              ),
            ],
            ['Public keys', keys === 0 ? 'None' : String(keys)],
          ]}
        />
      </Card>
      {may('grants.list') && <Grants slug={slug} />}
      {may('trust_rules.list') && <TrustRules slug={slug} />}
    </Overview>
  )
}

function Grants({ slug }: { slug: string }) {
  const query = useCall('grants.list', { service_identity: slug, limit: SHOWN_MAX })
  return (
    <Below
      title="Grants"
      resource="grants"
      word="New grant"
      slug={slug}
      query={query}
      empty="No grants: this identity has no permissions."
    >
      {(query.data?.items ?? []).map((grant) => (
        <li key={grant.id} className="min-w-0 break-words">
          <ResourceLink resource="grants" id={grant.id}>
            {grantSentence(grant as unknown as JsonObject)}
          </ResourceLink>
        </li>
      ))}
    </Below>
  )
}

function TrustRules({ slug }: { slug: string }) {
  const query = useCall('trust_rules.list', { service_identity: slug, limit: SHOWN_MAX })
  return (
    <Below
      title="Trust rules"
      resource="trust_rules"
      word="New trust rule"
      slug={slug}
      query={query}
      empty="No trust rule: tokens of other issuers, such as a CI system, are not accepted."
    >
      {(query.data?.items ?? []).map((rule) => (
        <li key={rule.id} className="flex min-w-0 flex-wrap gap-x-3">
          <ResourceLink resource="trust_rules" id={rule.id}>
            {rule.name}
          </ResourceLink>
          <span className="min-w-0 break-all text-muted">tokens of {rule.issuer}</span>
        </li>
      ))}
    </Below>
  )
}

interface BelowProps {
  readonly title: string
  readonly resource: string
  readonly word: string
  readonly slug: string
  readonly query: {
    readonly error: unknown
    readonly isPending: boolean
    readonly data?: { readonly items: readonly unknown[] } | undefined
    readonly refetch: () => unknown
  }
  readonly empty: string
  readonly children: ReactNode
}

/** What belongs to the service identity, with the way to one more. */
function Below({ title, resource, word, slug, query, empty, children }: BelowProps) {
  const may = useMay()
  return (
    <Card
      title={title}
      actions={
        may(`${resource}.create`) && (
          <Link
            to="/$resource/new"
            params={{ resource }}
            search={{ service_identity: slug }}
            className={buttonClasses('plain', true)}
          >
            <Plus size={16} aria-hidden="true" />
            {word}
          </Link>
        )
      }
    >
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {query.isPending && <SkeletonRows rows={2} />}
      {query.data?.items.length === 0 && <p className="text-muted">{empty}</p>}
      <ul className="flex flex-col gap-1">{children}</ul>
    </Card>
  )
}
