import { getOf } from '../crud.ts'
import { collectionKind } from './kind.ts'

export const getCollection = getOf(collectionKind)
