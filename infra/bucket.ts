import * as aws from "@pulumi/aws"
import { interpolate, jsonStringify } from "@pulumi/pulumi"
import type { Home } from "./home.ts"

/** Where Lambda puts the records of a stream that could not be processed; it takes no other prefix. */
export const failedPrefix = "aws/lambda/"

/** Where the bodies of large model requests lie for as long as they may be asked again. */
const modelRequestPrefix = "model-requests/"

/**
 * The one bucket: files, outputs, long texts, and the stream records that could not be processed. The number of the account in
 * its name makes it unlike anybody else's.
 */
export function createBucket(home: Home, key: aws.kms.Key) {
  const bucket = new aws.s3.Bucket("data", { bucket: interpolate`${home.tenant}-data-${home.account}` }, { protect: true })
  encrypt(bucket, key)
  closeToThePublic(bucket)
  letPagesIn(bucket)
  forget(bucket)
  return bucket
}

function encrypt(bucket: aws.s3.Bucket, key: aws.kms.Key) {
  new aws.s3.BucketServerSideEncryptionConfiguration("data", {
    bucket: bucket.bucket,
    rules: [
      {
        applyServerSideEncryptionByDefault: { sseAlgorithm: "aws:kms", kmsMasterKeyId: key.arn },
        bucketKeyEnabled: true,
      },
    ],
  })
}

function closeToThePublic(bucket: aws.s3.Bucket) {
  const block = new aws.s3.BucketPublicAccessBlock("data", {
    bucket: bucket.bucket,
    blockPublicAcls: true,
    blockPublicPolicy: true,
    ignorePublicAcls: true,
    restrictPublicBuckets: true,
  })
  new aws.s3.BucketOwnershipControls("data", { bucket: bucket.bucket, rule: { objectOwnership: "BucketOwnerEnforced" } })
  // AWS refuses two changes of a bucket's access at the same time, so the policy waits for the block.
  new aws.s3.BucketPolicy("data", { bucket: bucket.bucket, policy: onlyOverTls(bucket) }, { dependsOn: [block] })
}

const onlyOverTls = (bucket: aws.s3.Bucket) =>
  jsonStringify({
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "OnlyOverTls",
        Effect: "Deny",
        Principal: "*",
        Action: "s3:*",
        Resource: [bucket.arn, interpolate`${bucket.arn}/*`],
        Condition: { Bool: { "aws:SecureTransport": "false" } },
      },
    ],
  })

/** A page of any origin may use an address that was signed for it; there are no cookies that could speak for somebody else. */
function letPagesIn(bucket: aws.s3.Bucket) {
  new aws.s3.BucketCorsConfiguration("data", {
    bucket: bucket.bucket,
    corsRules: [
      {
        allowedOrigins: ["*"],
        allowedMethods: ["GET", "HEAD", "PUT"],
        allowedHeaders: ["*"],
        exposeHeaders: ["ETag", "Content-Disposition", "Content-Range", "Accept-Ranges"],
        maxAgeSeconds: 3600,
      },
    ],
  })
}

/** What nobody deletes by hand: parts of an upload that was given up, records that failed, what a model was asked. The rest stays. */
function forget(bucket: aws.s3.Bucket) {
  new aws.s3.BucketLifecycleConfiguration("data", {
    bucket: bucket.bucket,
    rules: [
      { id: "parts", status: "Enabled", filter: { prefix: "" }, abortIncompleteMultipartUpload: { daysAfterInitiation: 1 } },
      { id: "failed", status: "Enabled", filter: { prefix: failedPrefix }, expiration: { days: 30 } },
      { id: "answers", status: "Enabled", filter: { prefix: "answers/" }, expiration: { days: 2 } },
      { id: "model-requests", status: "Enabled", filter: { prefix: modelRequestPrefix }, expiration: { days: 1 } },
    ],
  })
}
