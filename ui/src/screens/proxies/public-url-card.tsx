import type { JsonObject } from '../../../build/document.ts'
import { useSession } from '../../api/session.ts'
import { CodeBlock } from '../../kit/copy.tsx'
import { Card } from '../../kit/page.tsx'
import { Status } from '../../kit/status.tsx'
import { publicUrl } from './public-url.ts'
import { targetOf } from './target.ts'

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
