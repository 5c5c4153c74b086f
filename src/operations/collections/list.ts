import { listOf } from '../crud.ts'
import { collectionKind } from './kind.ts'

export const listCollections = listOf(collectionKind)
