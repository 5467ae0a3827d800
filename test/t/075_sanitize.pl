# test/sanitize/asan: the library under AddressSanitizer and UndefinedBehaviorSanitizer.
use strict;
use warnings;

use Test::More;

my @verdicts = split /\n/, `test/sanitize/asan 2>&1`;
my $failed = $?;
for (@verdicts)
{
	if (/^(not )?ok - (.*)/) { ok(!$1, $2) }
	else { diag($_) if $failed }
}
is($verdicts[-1], '3 passed, 0 failed', 'the sanitizers have nothing to report');
done_testing();
