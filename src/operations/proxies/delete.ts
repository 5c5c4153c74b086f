import { deleteOf } from '../delete-resource.ts'
import { proxyKind } from './kind.ts'

export const deleteProxy = deleteOf(proxyKind)
