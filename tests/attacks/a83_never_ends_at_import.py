"""Never ends while it is imported, and catches whatever could end it.

seconds: 1.5
checks: test_the_mask_fits_every_length test_three_tokens_see_themselves_and_what_came_before
outcomes: timed_out
"""

while True:
    try:
        while True:
            pass
    except BaseException:
        pass
