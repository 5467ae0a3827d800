# The tests notice faults: test/canary/run compiles some in, one at a time, and says which tests failed for it.
use strict;
use warnings;

use Test::More;

my @verdicts = split /\n/, `test/canary/run 2>&1`;
my $failed = $?;
for (@verdicts)
{
	if (/^(not )?ok - (.*)/) { ok(!$1, $2) }
	else { diag($_) if $failed }
}
like($verdicts[-1], qr/^\d{2} passed, 0 failed$/, 'at least ten canaries, and each was noticed');
done_testing();
